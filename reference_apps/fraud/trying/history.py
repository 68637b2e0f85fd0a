"""Tries rules on a log on the disk, beside the instances that write it: the log as it ends now, and what its cases say about its events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_apps.fraud.cases import reading
from reference_apps.fraud.features.spec import DAY_MS
from reference_apps.fraud.keeping.log import Item, Log
from reference_apps.fraud.policy import policy, switching
from reference_apps.fraud.policy.policy import BadPolicy, Policy
from reference_apps.fraud.trying import trial

CHUNK = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be tried: a policy's text (None: the one in force), one of its rules (None: all), the last days (None: all)."""

    text: str | None = None
    rule: str | None = None
    days: int | None = None


def items(log: Log, up_to: int) -> Iterator[tuple[int, Item]]:
    """Yield a log up to a position."""
    position = 0
    while position < up_to and (rows := log.after(position, CHUNK)):
        for row in rows:
            if row.position <= up_to:
                yield row.position, row.item
        position = rows[-1].position


def in_force(log: Log) -> Policy:
    """Return the policy in force at the end of a log."""
    return switching.switched(policy.load(), log.switches())


def tried(present: Policy, wish: Wish) -> Policy:
    """Return the policy to try: a rule is tried as if it were switched on beside what is in force. Raises BadPolicy."""
    given = present if wish.text is None else policy.build(wish.text)
    if wish.rule is None:
        return given
    rules = switching.rules_of(given)
    if wish.rule not in rules:
        raise BadPolicy(f"there is no rule {wish.rule!r}; there are {', '.join(sorted(rules))}")
    return switching.with_rule(present, {**rules[wish.rule], "state": "active"})


def run(folder: Path, wish: Wish, labels: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """Return the table of a trial. `labels` say more than the cases do, and count where both speak. Raises BadPolicy, DatabaseFailed."""
    log = Log(folder, "trial")
    try:
        present, up_to = in_force(log), log.last()
        chosen = tried(present, wish)
        since_ms = trial.newest_ms(items(log, up_to)) - wish.days * DAY_MS if wish.days else None
        table = trial.trial(present, chosen, items(log, up_to), reading.whole(log).labels() | dict(labels or {}), since_ms)
    finally:
        log.close()
    if wish.rule is not None:
        table["rules"] = [each for each in table["rules"] if each["id"] == wish.rule]
    return table | {"rule": wish.rule, "up_to": up_to}
