"""How long a crashed instance waits before it is started again. Pure."""

FIRST_S, MOST_S = 0.5, 30.0
FORGIVEN_AFTER_S = 60.0


def streak_after(streak: int, ready_s: float) -> int:
    """Count one more crash in a row; a process that had been ready for a minute begins a new row."""
    return 1 if ready_s >= FORGIVEN_AFTER_S else streak + 1


def delay_s(streak: int) -> float:
    """Seconds to wait before the start that follows the `streak`th crash in a row: none after the first, then 0.5, 1, 2 ... up to 30."""
    return 0.0 if streak <= 1 else min(MOST_S, FIRST_S * 2.0 ** min(streak - 2, 10))
