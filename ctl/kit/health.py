"""What an app itself says about its readiness: it takes no new traffic while it has a reason not to."""

_reasons: dict[str, str] = {}


def unready(reason: str, *, part: str = "app") -> None:
    """Answer readiness probes with "unready" and this reason, until ready() of the same part. Requests that come all the same are served."""
    _reasons[part] = reason


def ready(*, part: str = "app") -> None:
    """Take the part's reason back; none there: nothing happens."""
    _reasons.pop(part, None)


def reason() -> str:
    """Return why the app is not ready; empty when it is."""
    return "; ".join(_reasons.values())
