"""Requests and answers as the proxy passes them on: which headers go along, and how a body is framed. No IO."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]

UNPROCESSED = b"x-msxf-unprocessed"
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
NOT_FORWARDED = HOP_BY_HOP | {b"expect", b"content-length"}
JSON, PROBLEM = b"application/json", b"application/problem+json"


@dataclass(slots=True)
class Request:
    """One whole request. `target` is the path with its query, as it came."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    keeps_open: bool
    is_old: bool

    @property
    def is_head(self) -> bool:
        return self.method == b"HEAD"

    def split(self) -> tuple[str, bytes]:
        """Return the service it is for, and what the target is without it."""
        path, mark, query = self.target.partition(b"?")
        service, _, rest = path.lstrip(b"/").partition(b"/") if path.startswith(b"/") else (b"", b"", b"")
        return service.decode("latin-1"), b"/" + rest + mark + query

    def forwarded(self, target: bytes) -> bytes:
        """Return it as it goes to an instance."""
        hops = NOT_FORWARDED | _named(self.headers)
        lines = [b"%b %b HTTP/1.1\r\n" % (self.method, target)]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0].lower() not in hops]
        if not any(name.lower() == b"x-request-id" for name, _ in self.headers):
            lines.append(b"x-request-id: %b\r\n" % os.urandom(16).hex().encode())
        if self.body or self.method in (b"POST", b"PUT", b"PATCH"):
            lines.append(b"content-length: %d\r\n" % len(self.body))
        return b"".join((*lines, b"\r\n", self.body))


@dataclass(slots=True)
class Head:
    """The head of an answer. Without a length and without chunks, only the end of the connection ends its body."""

    status: int
    reason: bytes
    headers: Headers

    @property
    def is_unprocessed(self) -> bool:
        return self.status == 503 and any(name.lower() == UNPROCESSED for name, _ in self.headers)

    def has_body(self, request: Request) -> bool:
        return not request.is_head and self.status not in (204, 304)

    @property
    def has_length(self) -> bool:
        return any(name.lower() == b"content-length" for name, _ in self.headers)

    @property
    def is_chunked(self) -> bool:
        return any(name.lower() == b"transfer-encoding" and b"chunked" in value.lower() for name, value in self.headers)


def framed(head: Head, request: Request) -> tuple[bytes, bool, bool]:
    """Return the head as the caller gets it, whether its body is sent in chunks, and whether the connection stays open after it."""
    is_open_ended = head.has_body(request) and not head.has_length
    in_chunks = is_open_ended and not request.is_old
    stays = request.keeps_open and not (is_open_ended and request.is_old)
    hops = HOP_BY_HOP | _named(head.headers)
    lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)]
    lines += [b"%b: %b\r\n" % header for header in head.headers if header[0].lower() not in hops]
    if in_chunks:
        lines.append(b"transfer-encoding: chunked\r\n")
    if not stays or request.is_old:
        lines.append(b"connection: keep-alive\r\n" if stays else b"connection: close\r\n")
    return b"".join((*lines, b"\r\n")), in_chunks, stays


def answer(status: int, body: Mapping[str, object], *, kind: bytes = JSON) -> tuple[Head, bytes]:
    """Return an answer of the proxy's own."""
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    return Head(status=status, reason=HTTPStatus(status).phrase.encode(), headers=headers), content


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _named(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Return the headers that a Connection header calls its own."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(word.strip().lower() for value in values for word in value.split(b",")) if values else frozenset()
