"""Whether a rule may be switched on: only on a trial or a time in shadow of exactly what it says, or with a reason. Pure."""

from collections.abc import Sequence

from reference_apps.fraud.notes import Switch, Trial
from reference_apps.fraud.policy.switching import Told, content_of

FEWEST_EVENTS = 1000
"""Over how many events a rule must have been tried, or have been in shadow."""


def basis(rule: Told, trials: Sequence[Trial], switches: Sequence[tuple[int, Switch]], position: int) -> str | None:
    """Return on what a rule may be switched on, in a log that has come to `position`; None: on nothing yet."""
    content = content_of(rule)
    tried = [each for each in trials if (each.rule, each.content) == (rule["id"], content) and each.events >= FEWEST_EVENTS]
    if tried:
        return f"a trial over {tried[-1].events} events by {tried[-1].by}"
    events = shadow_events(switches, content, position)
    return f"{events} entries of the log in shadow" if events >= FEWEST_EVENTS else None


def shadow_events(switches: Sequence[tuple[int, Switch]], content: str, position: int) -> int:
    """Return how much of the log came while a rule that says this stood in shadow."""
    events, since, rule = 0, 0, next((each.rule for _, each in switches if each.content == content), None)
    for at, each in [*((at, each) for at, each in switches if each.rule == rule), (position, None)]:
        events += at - since if since else 0
        since = at if each is not None and each.content == content and not each.is_active else 0
    return events
