"""What people say at the fraud desk, in English and Chinese: verdicts, outcomes, kinds of events; amounts and names. Pure."""

from collections.abc import Mapping

from reference_apps.fraud.cases.model import State
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.notes import Outcome

VERDICTS: Mapping[int, tuple[str, str, str]] = {
    Verdict.REVIEW: ("care", "▲ review", "审核"),
    Verdict.BLOCK: ("bad", "✖ block", "拦截"),
}
"""How grave, in words, and in Chinese: an alert is never less than a review."""
OUTCOMES: Mapping[Outcome, tuple[str, str, str]] = {
    Outcome.CONFIRMED: ("Confirmed fraud", "确认欺诈", "f"),
    Outcome.FALSE_ALARM: ("False alarm", "误报", "a"),
    Outcome.INCONCLUSIVE: ("Inconclusive", "无法判定", "i"),
}
"""In English, in Chinese, and the key that chooses it."""
MEANS: Mapping[Outcome, str] = {
    Outcome.CONFIRMED: "its accounts go on the block list for a year",
    Outcome.FALSE_ALARM: "its alerts count as honest when rules are tried",
    Outcome.INCONCLUSIVE: "nothing follows from it",
}
STATES: Mapping[State, str] = {State.OPEN: "open", State.DECIDED: "decided", State.MERGED: "merged into others"}
KINDS: Mapping[str, str] = {"application": "applies", "login": "logs in", "payment": "pays"}


def yuan(fen: int) -> str:
    """Write an amount in yuan: "2,000.00"."""
    return f"{fen // 100:,}.{fen % 100:02}"


def counted(count: int, one: str, many: str = "") -> str:
    """Write a number of things: "1 alert", "1,204 alerts"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def model(name: str) -> str:
    """Write a model's name as words."""
    return name.replace("_", " ")
