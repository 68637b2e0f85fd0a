"""A refusal as a value: what was wrong, and what to do next (RFC 9457). Pure: it knows no web framework."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """Raised wherever a request cannot be served; `code` is for programs, `detail` and `remedy` for people, `errors` name the fields.

    `unprocessed` tells the gateway that nothing was begun, so that it may try elsewhere.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, remedy: str = "", errors: Sequence[Mapping[str, str]] = (), unprocessed: bool = False
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.errors = tuple(errors)
        self.unprocessed = unprocessed

    def body(self) -> dict[str, Any]:
        """Return the answer's body: empty members are left out."""
        said: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(self.status).phrase, "status": self.status, "code": self.code, "detail": self.detail}
        said |= {"remedy": self.remedy, "errors": [dict(error) for error in self.errors]}
        return {name: value for name, value in said.items() if value}

    def headers(self) -> dict[str, str]:
        """Return the headers that go with it."""
        retry = {"retry-after": "1"} if self.status == 503 else {}
        return retry | ({"x-msxf-unprocessed": "1"} if self.unprocessed else {})
