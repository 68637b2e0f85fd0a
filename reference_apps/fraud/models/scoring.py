"""How a fraud model is built: a logistic function of signs that are never negative, with weights that are never negative. Pure.

So more of a bad sign never lowers a probability, and what each sign adds is the reason. Signs are written as Python expressions over `e` (the event), `t` (the
event's ties in the graph) and the figures of a family's windows by its name: all models together are compiled into one function, which is several times as
fast as a call for each of some eighty signs. A sign that is not there costs no more than a look at its condition. Probabilities are whole millionths.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.spec import FAMILIES, SPEC
from reference_apps.fraud.model import Event, Evidence

MILLION = 1_000_000
DIGITS = 6
MOST_REASONS = 3
UNKNOWN: tuple[object, ...] = (None, "", ())
EVIDENCE = frozenset(Evidence.__struct_fields__)


class Look(msgspec.Struct, frozen=True):
    """What models look at: the event, the figures of each family's windows, and the event's place in the graph."""

    event: Event
    figures: Sequence[Figures]
    ties: Ties


@dataclass(frozen=True, slots=True)
class Sign:
    """One bad sign. `strength` says how strong it is where the condition `when` holds; elsewhere it is 0: not there, or not known. `field`: the evidence it
    reads, and `worse` the direction in which that is bad."""

    words: str
    weight: float
    strength: str
    when: str = ""
    field: str = ""
    worse: int = 1

    @property
    def expression(self) -> str:
        """How strong it is, whatever holds."""
        return f"(({self.strength}) if {self.when} else 0.0)" if self.when else f"({self.strength})"

    @property
    def step(self) -> str:
        """The statement that adds it to the log-odds. Adding nothing is left out: it would change no bit."""
        return f"{f'if {self.when}: ' if self.when else ''}odds += {self.weight!r} * ({self.strength})"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model by its signs. `required`: fields of the event without which it gives no score; `median`: its probability for an ordinary event."""

    name: str
    required: tuple[str, ...]
    bias: float
    median: float
    signs: tuple[Sign, ...]

    def steps(self, name: str) -> list[str]:
        """Return the statements that set a name to the model's millionths, or to None when a required input is missing."""
        lacks = " or ".join(f"e.{field} is None" if field in EVIDENCE else f"not e.{field}" for field in self.required)
        quiet = millionths(self.bias)
        said = [f"odds = {self.bias!r}", *(sign.step for sign in self.signs), f"{name} = {quiet} if odds == {self.bias!r} else millionths(odds)"]
        return [f"if {lacks}: {name} = None", "else:", *(f"    {each}" for each in said)]

    @cached_property
    def strengths(self) -> Callable[[Event, Sequence[Figures], Ties], tuple[float, ...]]:
        """How strong each sign is, as one function."""
        return compiled([], f"({', '.join(sign.expression for sign in self.signs)},)")

    def missing(self, event: Event) -> tuple[str, ...]:
        """Return the required inputs that the event lacks."""
        return tuple(field for field in self.required if getattr(event, field) in UNKNOWN)

    def reasons(self, look: Look) -> tuple[tuple[float, str], ...]:
        """Return the signs that add most, with what they add to the log-odds: strongest first, then by words."""
        strengths = self.strengths(look.event, look.figures, look.ties)
        found = [(round(sign.weight * strength, DIGITS), sign, strength) for sign, strength in zip(self.signs, strengths, strict=True) if strength > 0]
        found.sort(key=lambda each: (-each[0], each[1].words))
        return tuple((weight, _said(sign, look, strength)) for weight, sign, strength in found[:MOST_REASONS])

    def explain(self, look: Look) -> str:
        """Say in one line why: what is missing, or the strongest signs."""
        missing = self.missing(look.event)
        if missing:
            return f"{' and '.join(missing)} unknown"
        return "; ".join(text for _, text in self.reasons(look)) or "no bad sign"


def millionths(odds: float) -> int:
    """Return the probability that log-odds stand for, in millionths."""
    return int(MILLION / (1 + math.exp(-odds)) + 0.5)


NAMES_IN_SIGNS: dict[str, Any] = {"log2": math.log2, "millionths": millionths, "__builtins__": {"min": min}}


def compiled(steps: Sequence[str], result: str) -> Callable[[Event, Sequence[Figures], Ties], Any]:
    """Return a function of event, figures and ties that takes these steps and returns an expression."""
    made = dict(NAMES_IN_SIGNS)
    exec("\n    ".join(["def made(e, f, t):", f"{', '.join(FAMILIES)} = f", *steps, f"return {result}"]), made)
    function: Callable[[Event, Sequence[Figures], Ties], Any] = made["made"]
    return function


def _said(sign: Sign, look: Look, strength: float) -> str:
    """Return the sign's words with its raw value: what the event says where it reads a field, else its strength. `ring` is how many accounts hang together."""
    raw = getattr(look.event, sign.field) if sign.field else strength
    value = f"{raw:.10g}" if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
    return sign.words.format(value=value, ring=look.ties.ring)


def figure(words: str, weight: float, family: str, window: str, name: str, *, free: int = 0, full: int = 0) -> Sign:
    """A figure of a window, as far as it is above `free`; above `full`, where it is given, it grows no more."""
    read = place(family, window, name)
    grown = f"{read} - {free}" if free else read
    return Sign(words, weight, f"min({full - free}, {grown})" if full else grown, f"{read} > {free}" if free else "")


def most(words: str, weight: float, families: tuple[str, str], window: str, name: str) -> Sign:
    """The higher of a figure of two families."""
    one, other = (place(family, window, name) for family in families)
    return Sign(words, weight, f"{one} if {one} > {other} else {other}")


def concentration(words: str, weight: float, family: str, window: str, name: str) -> Sign:
    """How far events of a key keep to few values, from 0 (each its own, or fewer than three events) to nearly 1 (all the same)."""
    count, distinct = place(family, window, "count"), place(family, window, name)
    return Sign(words, weight, f"({count} - {distinct}) / {count}", f"{count} >= 3 and {distinct}")


def high(words: str, weight: float, field: str, *, free: float = 0.0, full: float = 1.0) -> Sign:
    """Evidence that is bad when it is high: 0 up to `free`, 1 from `full` on."""
    grown = f"(x - {free!r}) * {1 / (full - free)!r}" if free else f"x * {1 / full!r}"
    return Sign(words, weight, f"1.0 if x >= {full!r} else {grown}", f"(x := e.{field}) is not None and x > {free!r}", field, 1)


def low(words: str, weight: float, field: str, *, free: float = 1.0) -> Sign:
    """Evidence that is bad when it is low: 0 from `free` on, 1 at nothing."""
    return Sign(words, weight, f"1 - x * {1 / free!r}", f"(x := e.{field}) is not None and x < {free!r}", field, -1)


def flag(words: str, weight: float, field: str, *, bad: bool = True) -> Sign:
    """Evidence that is there or not."""
    return Sign(words, weight, "1.0", f"e.{field} is {bad}", field, 1 if bad else -1)


def place(family: str, window: str, name: str) -> str:
    """Return a figure as signs name it."""
    return f"{family}[{SPEC.place(family, window, name)[1]}]"
