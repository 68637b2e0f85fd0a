"""Preview: recorded questions decided again by a new package, and what would be different. Pure; nothing is logged and nothing changes."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reference_apps.risk import views
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.many import decide_many
from reference_apps.risk.keeping import freezing
from reference_apps.risk.keeping.log import Entry
from reference_apps.risk.model import Decision, Outcome

TOGETHER = 2_000
Json = dict[str, Any]


@dataclass(slots=True)
class Preview:
    """What would be different. Rates of approval are shares of what both packages decide; limits and rates are of offers that both make."""

    package: str
    most_examples: int = 10
    decided: int = 0
    changed: int = 0
    undecidable: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    limits_fen: list[int] = field(default_factory=lambda: [0, 0])
    examples: list[Json] = field(default_factory=list)

    def add(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Compare two answers to the same question."""
        self.decided += 1
        self.outcomes[before["outcome"], after["outcome"]] += 1
        moves = list(_moves(before, after))
        self.moved.update(moves)
        for at, answer in enumerate((before, after)):
            if answer["outcome"] == Outcome.PASS and answer["offer"]:
                self.limits_fen[at] += answer["offer"]["limit_fen"]
        if moves:
            self.changed += 1
            if len(self.examples) < self.most_examples:
                self.examples.append({"decision_id": before["decision_id"], "before": _short(before), "after": _short(after), "moved": moves})

    def approved(self, at: int) -> float:
        """Return the share approved before (0) or after (1); 0 when nothing was decided."""
        passed = sum(count for pair, count in self.outcomes.items() if pair[at] == Outcome.PASS)
        return passed / self.decided if self.decided else 0.0

    def as_json(self) -> Json:
        return {
            "package": self.package,
            "decided": self.decided,
            "changed": self.changed,
            "undecidable": dict(self.undecidable),
            "approval_rate": {"before": self.approved(0), "after": self.approved(1)},
            "approved_limits_fen": {"before": self.limits_fen[0], "after": self.limits_fen[1]},
            "outcomes": [{"before": before, "after": after, "count": count} for (before, after), count in sorted(self.outcomes.items())],
            "moved": dict(sorted(self.moved.items())),
            "examples": self.examples,
        }


def preview(decider: Decider, entries: Iterable[Entry], most_examples: int = 10) -> Preview:
    """Decide recorded questions again. Those that the package cannot decide (no such scene, no such price table) are counted by their reason."""
    made = Preview(decider.package.hash, most_examples)
    waiting: list[tuple[Entry, Json]] = []
    for entry in entries:
        frozen = json.loads(entry.frozen)
        if why := freezing.why_not(frozen, decider.package):
            made.undecidable[why] += 1
            continue
        waiting.append((entry, frozen))
        if len(waiting) == TOGETHER:
            _decide(made, decider, waiting)
            waiting.clear()
    _decide(made, decider, waiting)
    return made


def _decide(made: Preview, decider: Decider, waiting: Sequence[tuple[Entry, Json]]) -> None:
    decisions = decide_many(decider, [freezing.question(frozen, decider) for _, frozen in waiting])
    for (entry, _), decision in zip(waiting, decisions, strict=True):
        made.add(json.loads(entry.output), _answer(entry, decision))


def _answer(entry: Entry, made: Decision) -> Json:
    offer = views.offer(made.offer) if made.offer else None
    reasons = [{"code": code} for code in made.reasons]
    return {"decision_id": entry.decision_id, "outcome": str(made.outcome), "offer": offer, "score": made.score, "reasons": reasons}


def _moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    if before["outcome"] != after["outcome"]:
        yield f"outcome {before['outcome']} to {after['outcome']}"
    old, new = before["offer"], after["offer"]
    if old and new:
        yield from (f"{name} {'up' if Decimal(new[key]) > Decimal(old[key]) else 'down'}" for name, key in NUMBERS if Decimal(new[key]) != Decimal(old[key]))
        if old["flow"] != new["flow"]:
            yield f"flow {old['flow']} to {new['flow']}"
    elif (old is None) != (new is None) and before["outcome"] == after["outcome"]:
        yield "offer appears" if new else "offer disappears"


NUMBERS = (("limit", "limit_fen"), ("rate", "annual_rate"), ("cost", "irr12"))


def _short(answer: Mapping[str, Any]) -> Json:
    offer = answer["offer"] or {}
    same = {name: offer.get(name) for name in ("grade", "limit_fen", "annual_rate", "flow")}
    return {"outcome": answer["outcome"], "score": answer["score"], **same, "reasons": [each["code"] for each in answer["reasons"]]}


def lines(made: Preview) -> list[str]:
    """Say a preview in plain words."""
    said = [f"{made.decided:,} recorded decisions, decided again by {made.package}: {made.changed:,} would be different"]
    said += [f"  cannot be decided: {count:,}, {why}" for why, count in sorted(made.undecidable.items())]
    said.append(f"  approved: {made.approved(0):.2%} before, {made.approved(1):.2%} after")
    said.append(f"  limits approved: {made.limits_fen[0] / 100:,.2f} before, {made.limits_fen[1] / 100:,.2f} after")
    said += [f"  {count:>7,}  {move}" for move, count in made.moved.most_common()]
    said += [f"  {each['decision_id']}: {_said(each['before'])} -> {_said(each['after'])}" for each in made.examples]
    return said


def _said(short: Mapping[str, Any]) -> str:
    if short["limit_fen"] is None:
        return f"{short['outcome']} ({', '.join(short['reasons'])})"
    return f"{short['outcome']} {short['limit_fen'] / 100:,.2f} at {Decimal(short['annual_rate']):.2%}, {short['flow']}"
