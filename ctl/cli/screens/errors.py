"""How an error reads: what was attempted, what was found, what to do next. Pure."""

from ctl.cli import paint
from ctl.cli.look import Look
from ctl.errors import BackendError, BadInput, CtlError, Forbidden, NotFound, Refused, TimedOut, Unauthorised

MOST = 20
HEADS: tuple[tuple[type[CtlError], str], ...] = (
    (BadInput, "Bad input"),
    (NotFound, "Not found"),
    (Unauthorised, "Not allowed"),
    (Forbidden, "Not allowed"),
    (Refused, "Refused"),
    (BackendError, "Out of reach"),
    (TimedOut, "Timed out"),
)


def head_of(error: CtlError) -> str:
    """Return the word an error begins with."""
    return "Not understood" if error.code == "usage" else next((head for kind, head in HEADS if isinstance(error, kind)), "Failed")


def lines(error: CtlError, look: Look) -> list[str]:
    """Return an error for people."""
    head = head_of(error)
    first, *more = error.message.splitlines() or [""]
    if len(more) > MOST:
        more = [*more[:MOST], f"… and {len(more) - MOST} more"]
    said = paint.wrap(f"{head}: {paint.plain(first)}", look.wide, "  ")
    said[0] = look.paint("bad", head) + said[0].removeprefix(head)
    said += [line for each in more for line in paint.wrap(f"  {paint.plain(each)}", look.wide, "    ")]
    for title, text in (("found", error.found), ("next", error.remedy)):
        said += [line for each in text.splitlines() for line in paint.wrap(f"  {title:<7} {paint.plain(each)}", look.wide, " " * 10)]
    return said


def document(error: CtlError) -> dict[str, object]:
    """Return an error for programs."""
    return {
        "code": error.code,
        "message": error.message,
        "found": error.found,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
        "retryable": error.retryable,
    }
