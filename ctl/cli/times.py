"""Times as people say them. Pure: `now` is a parameter; moments are ISO 8601 strings, as views carry them."""

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


def moment(text: str) -> datetime:
    """Return an ISO 8601 string as an aware datetime; without an offset it is UTC."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def since_s(text: str, now: datetime) -> float:
    """Return the seconds since a moment; one that is yet to come has 0."""
    return max(0.0, (now - moment(text)).total_seconds())


def span(seconds: float) -> str:
    """Return a length of time with at most two units: 0.4 s, 23 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 1:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def rough(seconds: float) -> str:
    """Return a length of time with one unit: 23 s, 4 min, 2 h, 3 d."""
    return " ".join(span(seconds).split(" ")[:2])


def ago(text: str | None, now: datetime) -> str:
    """Return how long a moment is ago ("4 min ago"), or how far ahead ("in 2 h"); None is a dash."""
    if not text:
        return "-"
    away = (now - moment(text)).total_seconds()
    if away < -1:
        return f"in {rough(-away)}"
    return "now" if away < 1 else f"{rough(away)} ago"


def exact(text: str | None) -> str:
    """Return a moment to the second, in UTC; None is a dash."""
    return moment(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if text else "-"


def clock(text: str, *, utc: bool) -> str:
    """Return the time of day of a moment, in this machine's zone or in UTC, to the millisecond: what log lines begin with."""
    at = moment(text).astimezone(UTC if utc else None)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def stamp(text: str, *, utc: bool) -> str:
    """Return the day and time of a moment, in this machine's zone or in UTC: what events begin with."""
    return f"{moment(text).astimezone(UTC if utc else None):%m-%d %H:%M:%S}"


def stopwatch(seconds: float) -> str:
    """Return 00:09, 12:30 or 1:02:03."""
    whole = max(0, int(seconds))
    tail = f"{whole % HOUR // MINUTE:02d}:{whole % MINUTE:02d}"
    return f"{whole // HOUR}:{tail}" if whole >= HOUR else tail


def length(text: str) -> float:
    """Return the seconds that "90", "90s", "15m", "2h" or "30d" mean. Raises ValueError."""
    body = text.strip().lower()
    digits = body.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip()
    unit = body[len(digits) :].strip()
    if unit not in UNITS or not digits.replace(".", "", 1).isdecimal():
        raise ValueError(f"{text!r} is no length of time")
    return float(digits) * UNITS[unit]


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big} {big_unit} {small} {small_unit}" if small else f"{big} {big_unit}"
