"""The sentence about how a process ended. Pure."""

import signal


def describe(status: int | None, lasted_s: float | None, last_words: str) -> str:
    """Say how a process ended: `status` negative is a signal, None is unknown; `lasted_s` None is unknown."""
    lasted = f" after {lasted_s:.1f} s" if lasted_s is not None else ""
    if status is None:
        return f"its process is gone{lasted}; how it ended is not known, its launcher was gone too"
    if status < 0:
        return f"killed by {_signal(-status)}{lasted}"
    return f"exit status {status}{lasted}" + (f": {last_words}" if last_words else "")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
