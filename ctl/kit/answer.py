"""A whole answer to a request, as a value."""

from dataclasses import dataclass

from ctl.kit.problem import MEDIA_TYPE

JSON, PROBLEM = b"application/json", MEDIA_TYPE.encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """Its status, its content, what kind that is, and further headers."""

    status: int
    content: bytes
    kind: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
