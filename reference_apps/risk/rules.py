"""Hard rules: facts that refuse a customer whatever the score says. Pure; a fact that is missing hits no rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reference_apps.risk.model import Facts, Outcome


class Test(StrEnum):
    """How a rule looks at its fact."""

    BELOW = "below"
    ABOVE = "above"
    IS = "is"
    LISTED = "listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`fact` `test` `value` -> `outcome`, because of `reason`; for LISTED the value is the list's name."""

    id: str
    fact: str
    test: Test
    value: int | str
    outcome: Outcome
    reason: str


def hits(rules: Sequence[Rule], lists: Mapping[str, frozenset[str]], facts: Facts) -> tuple[Rule, ...]:
    """Return every rule that applies, in the order of the rules."""
    return tuple(rule for rule in rules if _applies(rule, lists, facts))


def _applies(rule: Rule, lists: Mapping[str, frozenset[str]], facts: Facts) -> bool:
    fact = facts.get(rule.fact)
    match rule.test:
        case Test.BELOW:
            return isinstance(fact, int) and isinstance(rule.value, int) and fact < rule.value
        case Test.ABOVE:
            return isinstance(fact, int) and isinstance(rule.value, int) and fact > rule.value
        case Test.IS:
            return fact is not None and fact == rule.value
        case Test.LISTED:
            return fact in lists[str(rule.value)]
