"""Which part of a payment pays what: bucket by bucket, instalment by instalment or component by component, in the product's order. Pure integers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Component(StrEnum):
    """What an instalment can owe. Hashed as the text it is: an enumeration's own hash is slow, and payments look up little else."""

    PENALTY = "penalty"
    FEE = "fee"
    INTEREST = "interest"
    PRINCIPAL = "principal"

    __hash__ = str.__hash__


class Style(StrEnum):
    """Finish an instalment before the next (horizontal), or a component over all instalments of a bucket before the next component (vertical)."""

    HORIZONTAL = "horizontal"
    VERTICAL = "vertical"


ORDER = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)


class Debt(NamedTuple):
    """What one instalment still owes, by component."""

    number: int
    owed: Mapping[Component, int]


class Part(NamedTuple):
    """`amount_fen` of a payment that pays `component` of instalment `number`; always positive."""

    number: int
    component: Component
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """A payment, split: the parts and the rest that no debt was left for sum to the payment."""

    parts: tuple[Part, ...]
    rest_fen: int

    def then(self, rest: "Allocation") -> "Allocation":
        """Return this allocation and that of its rest, as one."""
        return Allocation(self.parts + rest.parts, rest.rest_fen) if self.parts else rest

    def sums(self) -> dict[Component, int]:
        """Return how much of the payment went to each component that got something."""
        sums: dict[Component, int] = {}
        for part in self.parts:
            sums[part.component] = sums.get(part.component, 0) + part.amount_fen
        return sums

    def of(self, component: Component) -> int:
        """Return how much of the payment went to a component."""
        return sum(part.amount_fen for part in self.parts if part.component is component)


def horizontal(debts: Sequence[Debt], amount_fen: int, order: Sequence[Component] = ORDER) -> Allocation:
    """Finish the oldest instalment (first in `debts`) in all its components, then the next."""
    return _paid(((debt, component) for debt in debts for component in order), amount_fen)


def vertical(debts: Sequence[Debt], amount_fen: int, order: Sequence[Component] = ORDER) -> Allocation:
    """Finish one component over all instalments, the oldest first, then the next component."""
    return _paid(((debt, component) for component in order for debt in debts), amount_fen)


def over_buckets(buckets: Iterable[Sequence[Debt]], amount_fen: int, order: Sequence[Component], style: Style) -> Allocation:
    """Finish each bucket (what is past due, what is due today, ...) before the next."""
    paid, allocate = Allocation((), amount_fen), horizontal if style is Style.HORIZONTAL else vertical
    for bucket in buckets:
        if bucket:
            paid = paid.then(allocate(bucket, paid.rest_fen, order))
    return paid


def _paid(places: Iterable[tuple[Debt, Component]], amount_fen: int) -> Allocation:
    left, parts = amount_fen, []
    for debt, component in places:
        if left == 0:
            break
        pays = min(left, debt.owed.get(component, 0))
        if pays > 0:
            parts.append(Part(debt.number, component, pays))
            left -= pays
    return Allocation(tuple(parts), left)
