"""From what was declared and what bureaus said to known facts, by each variable's sources in their order. Pure; the time is an argument.

A bureau that answered has the word, also when it knows nothing: what the applicant declares counts only where no bureau is configured, or where it failed,
and then the failure stays with the decision. Values that cannot be, or that are too old, are failures too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from reference_apps.risk.model import Fact
from reference_apps.risk.packages.checks import misfit
from reference_apps.risk.packages.model import Ask, Package, Source, Variable

DECLARED = "declared"
CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a bureau said: `fields` by name (a field that is not there is not known), and of when it is."""

    fields: Mapping[str, Any]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """A bureau gave nothing usable, and why."""

    why: str


Said = Answered | Failed


@dataclass(frozen=True, slots=True)
class Known:
    """A value and where it came from; `as_of` None: the applicant said so now."""

    value: Fact
    origin: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is known, by variable, and for which variables a source that comes first has failed (why, by variable)."""

    known: Mapping[str, Known]
    failed: Mapping[str, str]

    @property
    def facts(self) -> dict[str, Fact]:
        return {name: each.value for name, each in self.known.items()}


class Misfit(Exception):
    """Something declared is not what the package's input schema allows: `field`, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.why = field, why


def wanted(package: Package, declared: Mapping[str, Any], needed: frozenset[str] | None = None) -> frozenset[str]:
    """Return the bureaus to be asked: those that some variable looks at before anything that is declared.

    `needed` None: of the variables that are asked for first; else of these variables.
    """
    found: set[str] = set()
    for variable in package.variables.values():
        if (variable.ask is not Ask.FIRST) if needed is None else (variable.name not in needed):
            continue
        for source in variable.sources:
            if source.origin == DECLARED and value_at(declared, source.field) is not None:
                break
            found.add(source.origin)
    return frozenset(found)


def resolve(package: Package, declared: Mapping[str, Any], said: Mapping[str, Said], now: datetime) -> Resolved:
    """Resolve every variable that has sources. `said` holds the bureaus that were asked; one that is not in it does not exist here. Raises Misfit."""
    known: dict[str, Known] = {}
    failed: dict[str, str] = {}
    for variable in package.variables.values():
        found, why = _resolved(variable, declared, said, now)
        if found is not None:
            known[variable.name] = found
        if why:
            failed[variable.name] = why
    return Resolved(known, failed)


def _resolved(variable: Variable, declared: Mapping[str, Any], said: Mapping[str, Said], now: datetime) -> tuple[Known | None, str]:
    why = ""
    for source in variable.sources:
        if source.origin == DECLARED:
            value = value_at(declared, source.field)
            if value is not None:
                if problem := misfit(variable, value):
                    raise Misfit(source.field, problem)
                return Known(value, DECLARED), why
            continue
        answer = said.get(source.origin)
        if answer is None:
            continue
        found = _from_bureau(variable, source, answer, now)
        if not isinstance(found, Failed):
            return found, why
        why = why or f"{source.origin}: {found.why}"
    return None, why


def _from_bureau(variable: Variable, source: Source, answer: Said, now: datetime) -> Known | Failed | None:
    """Return what a bureau knows of a variable; None: it answered, and knows nothing."""
    if isinstance(answer, Failed):
        return answer
    value = value_at(answer.fields, source.field)
    if value is None:
        return None
    if problem := misfit(variable, value):
        return Failed(f"{source.field} cannot be: {problem}")
    if answer.as_of > now + CLOCKS_DIFFER:
        return Failed(f"its answer is of {answer.as_of.isoformat()}, which is yet to come")
    age_s = (now - answer.as_of).total_seconds()
    if variable.fresh_for_s is not None and age_s > variable.fresh_for_s:
        return Failed(f"its answer is {age_s / 86_400:.0f} days old")
    return Known(value, source.origin, answer.as_of)


def value_at(document: Mapping[str, Any], path: str) -> Any:
    """Return the value that a dotted path leads to; None: it leads nowhere."""
    if "." not in path:
        return document.get(path)
    node: Any = document
    for step in path.split("."):
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node
