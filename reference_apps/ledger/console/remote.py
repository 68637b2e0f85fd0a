"""The running service, asked over HTTP: what changes the books goes through it and nowhere else. Third-party errors are translated here."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 30.0


class OutOfReach(Exception):
    """No service answers there."""


class Answered(Exception):
    """The service refused; the body is its problem document."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("detail", status)))
        self.status, self.body = status, body


def ask(server: str, method: str, path: str, body: Any = None, key: str = "") -> dict[str, Any]:
    """Return the JSON of a good answer. Raises Answered for a refusal, OutOfReach."""
    headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
    content = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(server.rstrip("/") + path, data=content, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            read: dict[str, Any] = json.loads(answer.read())
            return read
    except urllib.error.HTTPError as error:
        raise Answered(error.code, _problem(error.read())) from error
    except (OSError, ValueError) as error:
        raise OutOfReach(f"{server} does not answer as the ledger does: {error}") from error


def _problem(content: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(content)
    except ValueError:
        return {"detail": content.decode(errors="replace")[:200]}
    return read if isinstance(read, dict) else {"detail": str(read)[:200]}
