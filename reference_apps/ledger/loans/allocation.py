"""Which part of a payment pays what: the oldest instalment first, in the product's order of components. Pure integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Component(StrEnum):
    """What an instalment can owe."""

    PENALTY = "penalty"
    FEE = "fee"
    INTEREST = "interest"
    PRINCIPAL = "principal"


ORDER = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)


@dataclass(frozen=True, slots=True)
class Debt:
    """What one instalment still owes, by component."""

    number: int
    owed: Mapping[Component, int]


@dataclass(frozen=True, slots=True)
class Part:
    """`amount_fen` of a payment that pays `component` of instalment `number`; always positive."""

    number: int
    component: Component
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Allocation:
    """A payment, split: the parts and the rest that no debt was left for sum to the payment."""

    parts: tuple[Part, ...]
    rest_fen: int

    def of(self, component: Component) -> int:
        """Return how much of the payment went to a component."""
        return sum(part.amount_fen for part in self.parts if part.component is component)


def horizontal(debts: Sequence[Debt], amount_fen: int, order: Sequence[Component] = ORDER) -> Allocation:
    """Finish the oldest instalment (first in `debts`) in all its components, then the next."""
    left, parts = amount_fen, []
    for debt in debts:
        for component in order:
            pays = min(left, debt.owed.get(component, 0))
            if pays > 0:
                parts.append(Part(debt.number, component, pays))
                left -= pays
    return Allocation(tuple(parts), left)
