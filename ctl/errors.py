"""The error tree: what went wrong, as a class that carries its exit code, its HTTP status and whether a retry may help."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class CtlError(Exception):
    """Base of every error msxfctl raises on purpose; `remedy` says what to do next (empty: the message says it all)."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, remedy: str = "", found: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.remedy = remedy


class BadInput(CtlError):
    """The request itself makes no sense; nothing was changed."""

    exit_code, http_status, code = 2, 422, "bad_input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in a file that people wrote: its place (line from 1, dotted field; empty: the file itself), what is wrong and what to do."""

    file: str
    line: int
    field: str
    message: str
    remedy: str

    def __str__(self) -> str:
        said = f"{self.field}: {self.message}" if self.field else self.message
        return f"{self.file}:{self.line}  {said}" + (f"  ({self.remedy})" if self.remedy else "")


class CatalogMistakes(BadInput):
    """The catalog has mistakes: all of them, in the order of files and lines. Nothing of it was loaded."""

    def __init__(self, mistakes: Sequence[Mistake], *, services: int) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        lines = [f"{count} in {services} services of the catalog; nothing was loaded", *map(str, mistakes)]
        super().__init__("\n".join(lines), remedy="put them right; msxfctl catalog validate shows them all")
        self.mistakes = tuple(mistakes)


class NotFound(CtlError):
    """The named thing does not exist."""

    exit_code, http_status, code = 4, 404, "not_found"


class Unauthorised(CtlError):
    """Nobody we know, or a role that may not do this."""

    exit_code, http_status, code = 3, 401, "unauthorised"


class Forbidden(CtlError):
    """We know who asks; the role does not allow it."""

    exit_code, http_status, code = 3, 403, "forbidden"


class Refused(CtlError):
    """The request is well-formed, but the state of the world forbids it; nothing was changed."""

    exit_code, http_status, code = 3, 409, "refused"


class UnsafePlan(Refused):
    """The plan breaks a bound, or the world has moved since the plan was approved."""

    code = "unsafe_plan"


class LeaseHeld(Refused):
    """Somebody else acts on this service now."""

    code, retryable = "lease_held", True


class StaleRevision(Refused):
    """A compare-and-set lost: the value changed since it was read."""

    code, retryable = "stale_revision", True


class DigestMismatch(Refused):
    """An artifact's content no longer matches its digest."""

    code = "digest_mismatch"


class BackendError(CtlError):
    """A system we stand on did not do its part; the same call may go through later."""

    exit_code, http_status, retryable, code = 5, 502, True, "backend_error"

    def __init__(self, message: str, *, remedy: str = "", found: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(message, remedy=remedy, found=found)
        self.retry_after_s = retry_after_s


class TimedOut(CtlError):
    """A wait reached its deadline; what was waited for goes on."""

    exit_code, http_status, code = 7, 504, "timed_out"


def problem(error: CtlError) -> dict[str, Any]:
    """Return the error as an RFC 9457 problem document; from_problem() turns it back."""
    body: dict[str, Any] = {"type": f"urn:msxfctl:{error.code}", "title": error.message, "status": error.http_status, "code": error.code}
    body |= {"found": error.found, "remedy": error.remedy, "retryable": error.retryable}
    return body | ({"retry_after_s": error.retry_after_s} if isinstance(error, BackendError) else {})


def from_problem(body: Mapping[str, Any]) -> CtlError:
    """Return the error that a problem document tells of; a code we do not know is a plain CtlError."""
    kind = next((kind for kind in _family(CtlError) if kind.code == body.get("code")), CtlError)
    return kind(str(body.get("title", "the request failed")), remedy=str(body.get("remedy", "")), found=str(body.get("found", "")))


def _family(kind: type[CtlError]) -> Iterator[type[CtlError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)
