"""Small files that are always whole: written beside their place and moved there."""

import json
import logging
import os
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def write(path: Path, data: Any) -> None:
    """Replace a JSON file; a reader sees the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(data, separators=(",", ":")))
    beside.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """Return a JSON object; None when the file is absent, or damaged, which is logged."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read and is left out: %s", path, error)
        return None
    return found if isinstance(found, dict) else None
