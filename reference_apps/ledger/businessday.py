"""The business day is China's, all year round: which day a moment belongs to, and when a day begins. Pure."""

from datetime import UTC, date, datetime, timedelta

HOURS = timedelta(hours=8)
SECOND_NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(at_ns: int) -> date:
    """Return the business day of a moment."""
    return (EPOCH + timedelta(seconds=at_ns // SECOND_NS) + HOURS).date()


def begin_ns(day: date) -> int:
    """Return the first moment of a business day."""
    begun = datetime(day.year, day.month, day.day, tzinfo=UTC) - HOURS
    return (begun - EPOCH) // timedelta(seconds=1) * SECOND_NS


def moment(at_ns: int) -> str:
    """Return a moment to the microsecond, in UTC: 2026-11-27T09:30:00.000001Z."""
    return f"{(EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat(timespec='microseconds').removesuffix('+00:00')}Z"
