"""What an app itself says about its readiness: it takes no new traffic while it has a reason not to."""

_reasons: dict[str, str] = {}
_notes: dict[str, str] = {}


def unready(reason: str, *, part: str = "app") -> None:
    """Answer readiness probes with "unready" and this reason, until ready() of the same part. Requests that come all the same are served."""
    _reasons[part] = reason


def ready(*, part: str = "app") -> None:
    """Take the part's reason back; none there: nothing happens."""
    _reasons.pop(part, None)


def note(text: str, *, part: str = "app") -> None:
    """Let readiness probes see something that is no reason to leave the traffic; an empty text takes the part's note back."""
    if text:
        _notes[part] = text
    else:
        _notes.pop(part, None)


def notes() -> str:
    """Return what the app lets probes see; empty when there is nothing."""
    return "; ".join(_notes.values())


def reason() -> str:
    """Return why the app is not ready; empty when it is."""
    return "; ".join(_reasons.values())
