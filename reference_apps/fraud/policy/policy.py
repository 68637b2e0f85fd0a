"""The policy: typologies and rules as data, checked when they are read. A policy that contradicts itself does not start.

Whoever adds tooling for rules reads the text, changes a rule's `state`, and builds the policy anew: nothing else knows where it comes from.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import msgspec
import yaml
import zen

from reference_apps.fraud.features.graph import NUMBERS, Ties
from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import FIGURES, SPEC
from reference_apps.fraud.model import Event, Evidence, Verdict
from reference_apps.fraud.models.all import NAMES
from reference_apps.fraud.models.scoring import MILLION, Look
from reference_apps.fraud.policy import plain

VERDICTS = {verdict.word: verdict for verdict in Verdict}
KINDS = ("application", "login", "payment")
TEXT = re.compile(r"""'[^']*'|"[^"]*\"""")
NAME = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*\()")
WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})

Facts = Callable[[Event, Sequence[Figures], Ties, int], tuple[Any, ...]]
"""Reads facts from what is known and from how late the event is, in milliseconds."""
Holding = Callable[[Event, Sequence[Figures], Ties, int], "list[Rule]"]
"""Says which rules hold."""


class Compiled(Protocol):
    """An expression of the zen language."""

    def evaluate(self, context: Any) -> Any: ...


class BadPolicy(Exception):
    """The policy contradicts itself; the message names the entry, what was found and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typology:
    """A pattern of fraud as a weighted sum of models. `weights`: number of the model and its weight. Thresholds are in millionths."""

    id: str
    words: str
    weights: tuple[tuple[int, float], ...]
    step_up: int
    review: int
    block: int

    def verdict(self, value: int) -> Verdict:
        if value < self.step_up:
            return Verdict.PASS
        return Verdict.BLOCK if value >= self.block else Verdict.REVIEW if value >= self.review else Verdict.STEP_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A hard rule. It does not apply while one of its facts is not known. `python`: its expression as Python; None: only the engine can tell."""

    id: str
    facts: tuple[str, ...]
    read: Facts
    verdict: Verdict
    is_active: bool
    words: str
    expression: Compiled
    python: str | None

    def known(self, look: Look, late_ms: int) -> dict[str, Any] | None:
        """Return its facts; None when one is not known."""
        found = self.read(look.event, look.figures, look.ties, late_ms)
        return None if None in found else dict(zip(self.facts, found, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is in force. `id` is the hash of its `text`; `rules` stand in the order of their ids, `holding` says which of them hold; `is_reached`
    whether any of the sums is at its typology's step-up."""

    id: str
    text: str
    required: Mapping[str, frozenset[int]]
    typologies: tuple[Typology, ...]
    sums: Callable[[Sequence[int]], tuple[int, ...]]
    is_reached: Callable[[Sequence[int]], bool]
    rules: tuple[Rule, ...]
    holding: Holding

    def hits(self, look: Look, late_ms: int) -> list[Rule]:
        """Return the rules that hold, active or not, in the order of their ids."""
        return self.holding(look.event, look.figures, look.ties, late_ms)


def load(path: Path | None = None) -> Policy:
    """Return the policy of a file, by default the one that ships with the app. Raises BadPolicy."""
    return build((path or Path(__file__).parent / "policy.yaml").read_text())


def build(text: str) -> Policy:
    """Return the policy that a text declares. Raises BadPolicy."""
    told = yaml.safe_load(text)
    for part, kind in (("kinds", dict), ("typologies", list), ("rules", list)):
        if not isinstance(told, dict) or not isinstance(told.get(part), kind):
            raise BadPolicy(f"policy: `{part}` is missing or no {kind.__name__}; compare with policy/policy.yaml")
    rules = tuple(sorted((_rule(each) for each in told["rules"]), key=lambda rule: str(rule.id)))
    typologies = tuple(_typology(each) for each in told["typologies"])
    _unique([*(rule.id for rule in rules), *(typology.id for typology in typologies)])
    return Policy(
        id=sha256(text.encode()).hexdigest()[:16],
        text=text,
        required=_required(told["kinds"]),
        typologies=typologies,
        sums=_sums(typologies),
        is_reached=_is_reached(typologies),
        rules=rules,
        holding=_holding(rules),
    )


def _required(kinds: Mapping[str, Any]) -> dict[str, frozenset[int]]:
    if set(kinds) != set(KINDS):
        raise BadPolicy(f"kinds: found {sorted(kinds)}; declare exactly {sorted(KINDS)}")
    return {kind: frozenset(_model(f"kinds.{kind}", name) for name in declared["required"]) for kind, declared in kinds.items()}


def _model(where: str, name: str) -> int:
    if name not in NAMES:
        raise BadPolicy(f"{where}: there is no model {name!r}; there are {', '.join(NAMES)}")
    return NAMES.index(name)


def _typology(told: Mapping[str, Any]) -> Typology:
    where = f"typology {told.get('id')!r}"
    if set(told) != {"id", "words", "weights", "step_up", "review", "block"}:
        raise BadPolicy(f"{where}: has the fields {sorted(told)}; declare id, words, weights, step_up, review and block")
    if not 0 < told["step_up"] <= told["review"] <= told["block"]:
        raise BadPolicy(f"{where}: thresholds are {told['step_up']}, {told['review']}, {told['block']}; they must grow from step_up over review to block")
    if not told["weights"] or any(not 0 < weight <= 1 for weight in told["weights"].values()):
        raise BadPolicy(f"{where}: weights are {told['weights']}; give each model one above 0 and up to 1")
    weights = tuple((_model(where, name), float(weight)) for name, weight in sorted(told["weights"].items()))
    thresholds = {name: round(told[name] * MILLION) for name in ("step_up", "review", "block")}
    return Typology(id=told["id"], words=told["words"], weights=weights, **thresholds)


def _rule(told: Mapping[str, Any]) -> Rule:
    where = f"rule {told.get('id')!r}"
    if set(told) != {"id", "when", "facts", "verdict", "state", "words"}:
        raise BadPolicy(f"{where}: has the fields {sorted(told)}; declare id, when, facts, verdict, state and words")
    unknown = [name for name in told["facts"] if name not in FACTS]
    if unknown or not told["facts"]:
        raise BadPolicy(f"{where}: facts {unknown} are not known; use names like device_24h_account, ring or a field of the event")
    if told["verdict"] not in VERDICTS or told["state"] not in ("active", "shadow"):
        raise BadPolicy(f"{where}: verdict {told['verdict']!r}, state {told['state']!r}; use {', '.join(VERDICTS)} and active or shadow")
    expression = _compiled(where, told["when"], told["facts"])
    return Rule(
        id=told["id"],
        facts=tuple(told["facts"]),
        read=_read(told["facts"]),
        verdict=VERDICTS[told["verdict"]],
        is_active=told["state"] == "active",
        words=_words(where, told["words"], told["facts"]),
        expression=expression,
        python=plain.python(told["when"], KINDS_OF_FACTS, expression.evaluate),
    )


def _words(where: str, words: str, facts: Sequence[str]) -> str:
    try:
        words.format(**dict.fromkeys(facts, 0))
    except (KeyError, IndexError, ValueError) as error:
        raise BadPolicy(f"{where}: the words {words!r} name {error}; name only its facts {list(facts)}") from error
    return words


def _compiled(where: str, when: str, facts: Sequence[str]) -> Compiled:
    """Compile an expression and try it: it must say yes or no from its facts alone."""
    stray = set(NAME.findall(TEXT.sub("", when))) - set(facts) - WORDS
    if stray:
        raise BadPolicy(f"{where}: {when!r} uses {sorted(stray)}; name every fact that it uses under `facts`")
    try:
        expression = zen.compile_expression(when)
        said = expression.evaluate({name: SAMPLE[name] for name in facts})
    except RuntimeError as error:
        raise BadPolicy(f"{where}: {when!r} does not work: {str(error).splitlines()[0]}; correct the expression") from error
    if not isinstance(said, bool):
        raise BadPolicy(f"{where}: {when!r} says {said!r}; it must say true or false")
    return expression


def _unique(ids: Sequence[str]) -> None:
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise BadPolicy(f"ids {twice} are used twice; give each typology and rule its own")


def _read(facts: Sequence[str]) -> Facts:
    made: Facts = eval(f"lambda e, f, t, late_ms: ({', '.join(FACTS[name] for name in facts)},)", {"__builtins__": {}})
    return made


def _holding(rules: Sequence[Rule]) -> Holding:
    """Return all rules as one function: to find that none of them holds takes as long as one call."""
    steps = ["def holding(e, f, t, late_ms):", "found = []"]
    for number, rule in enumerate(rules):
        facts = ", ".join(f"{name!r}: {FACTS[name]}" for name in rule.facts)
        holds = plain.over(rule.python, FACTS) if rule.python is not None else f"engine_{number}({{{facts}}}) is True"
        known = [f"{FACTS[name]} is not None" for name in rule.facts if name not in ALWAYS]
        steps.append(f"if {' and '.join([*known, f'({holds})'])}: found.append(rule_{number})")
    named: dict[str, Any] = {"__builtins__": {}}
    for number, rule in enumerate(rules):
        named |= {f"rule_{number}": rule, f"engine_{number}": rule.expression.evaluate}
    exec("\n    ".join([*steps, "return found"]), named)
    made: Holding = named["holding"]
    return made


def _sums(typologies: Sequence[Typology]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """Return all weighted sums as one function of the models' millionths."""
    rounded = ", ".join(f"int({_sum(typology)})" for typology in typologies)
    made: Callable[[Sequence[int]], tuple[int, ...]] = eval(f"lambda m: ({rounded},)", {"int": int, "__builtins__": {}})
    return made


def _is_reached(typologies: Sequence[Typology]) -> Callable[[Sequence[int]], bool]:
    """Return a function of the models' millionths that only says whether any typology needs to be looked at: nearly always none does."""
    reached = " or ".join(f"{_sum(typology)} >= {typology.step_up}" for typology in typologies)
    made: Callable[[Sequence[int]], bool] = eval(f"lambda m: {reached or False}", {"__builtins__": {}})
    return made


def _sum(typology: Typology) -> str:
    """Return a sum in millionths, a half above it: what it is cut to is what it is rounded to."""
    return " + ".join([*(f"{weight!r} * m[{number}]" for number, weight in typology.weights), "0.5"])


def _all_facts() -> tuple[dict[str, str], frozenset[str], dict[str, Any], dict[str, type]]:
    """Return every fact by name as an expression, the names of those that are always known, a sample of each, and what each is: int, str, bool or float."""
    known = {"late_ms": "late_ms", "kind": "e.kind", "amount_fen": "e.amount_fen"}
    for family in SPEC.families:
        for window in SPEC.windows:
            for name in (*FIGURES, *family.distinct):
                number, index = SPEC.place(family.name, window.name, name)
                known[f"{family.name}_{window.name}_{name}"] = f"f[{number}][{index}]"
    known |= {name: f"t.{name}" for name in NUMBERS}
    kinds: dict[str, type] = dict.fromkeys(known, int) | {"kind": str}
    types = {field.name: str(field.type) for field in msgspec.structs.fields(Evidence)}
    kinds |= {name: next(kind for kind in (bool, str, float, int) if kind.__name__ in told) for name, told in types.items()}
    sample: dict[str, Any] = {name: {bool: True, str: "x"}.get(kind, 1) for name, kind in kinds.items()} | {"kind": "application"}
    return known | {name: f"e.{name}" for name in types}, frozenset(known), sample, kinds


FACTS, ALWAYS, SAMPLE, KINDS_OF_FACTS = _all_facts()
