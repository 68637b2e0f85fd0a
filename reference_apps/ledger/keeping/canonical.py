"""One way to write a value as bytes: what is hashed is what is stored. Pure."""

import json
from typing import Any


def encode(value: Any) -> bytes:
    """Return compact JSON with sorted keys, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
