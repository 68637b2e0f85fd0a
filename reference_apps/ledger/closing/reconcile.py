"""Three-way reconciliation: the bank's file against the bank account in the ledger against the loans. Pure.

What the ledger and the loans tell of one event is put together first; each such pair then looks for its line at the bank: by reference, by loan, at
last by amount and day. Every movement ends up in exactly one item of the report.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import zip_longest

from reference_apps.ledger.closing.movement import Direction, Movement

TOLERANCE_DAYS = 1
EVER = 10**6


class Kind(StrEnum):
    """What an item is: three that agree, or a break."""

    MATCHED = "matched"
    AMOUNT_DIFFERS = "amount_differs"
    WRONG_DAY = "wrong_day"
    MISSING_IN_BANK = "missing_in_bank"
    MISSING_IN_LEDGER = "missing_in_ledger"
    MISSING_IN_LOANS = "missing_in_loans"
    DUPLICATE = "duplicate"
    UNKNOWN_LOAN = "unknown_loan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What belongs together, at most one movement of each source. `by` says how the bank's line was found, `twin` which line a duplicate repeats."""

    kind: Kind = Kind.MATCHED
    bank: Movement | None = None
    ledger: Movement | None = None
    loans: Movement | None = None
    by: str = ""
    twin: str = ""

    @property
    def movements(self) -> tuple[Movement, ...]:
        return tuple(each for each in (self.bank, self.ledger, self.loans) if each is not None)

    @property
    def booked(self) -> Movement | None:
        """What our side says: the loan's word on the day counts before the ledger's, which may have booked it later."""
        return self.loans or self.ledger


def compare(
    bank: Sequence[Movement], ledger: Sequence[Movement], loans: Sequence[Movement], *, known: Container[str], tolerance_days: int = TOLERANCE_DAYS
) -> tuple[Item, ...]:
    """Return every movement in exactly one item, breaks first; `known` holds the ids of all loans there are."""
    search = _Search(bank, _pairs(ledger, loans))
    for rule, days in (
        ("reference", tolerance_days),
        ("loan", tolerance_days),
        ("reference", EVER),
        ("loan", EVER),
        ("reference alone", EVER),
        ("loan alone", tolerance_days),
        ("amount and day", tolerance_days),
    ):
        search.take(rule, days)
    together = [replace(item, kind=_judge(item, known, tolerance_days)) for item in search.items()]
    first = {_repeated(item.bank): item.bank.place for item in reversed(together) if item.bank and item.booked}
    alone = [_lonely(line, first, known) for line in search.lonely()]
    return tuple(sorted((*together, *alone), key=_order))


def _pairs(ledger: Iterable[Movement], loans: Iterable[Movement]) -> list[Item]:
    """Put together what both sides call by the same event; what one of them tells twice stands alone the second time."""
    events: defaultdict[str, tuple[list[Movement], list[Movement]]] = defaultdict(lambda: ([], []))
    for side, movements in enumerate((ledger, loans)):
        for movement in movements:
            events[movement.event][side].append(movement)
    return [Item(ledger=one, loans=other) for booked, told in events.values() for one, other in zip_longest(booked, told)]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a line of the bank, or a pair of ours, can be found by; `bare`: by its amount alone, which only a line without any reference may."""

    amount: tuple[Direction, int, str]
    references: tuple[str, ...]
    loans: tuple[str, ...]
    bare: bool


def _of_line(line: Movement) -> _Wanted:
    return _Wanted(_amount(line), line.references, line.references, not line.references)


def _of_pair(pair: Item) -> _Wanted:
    told = [each for each in (pair.ledger, pair.loans) if each is not None]
    references = tuple(dict.fromkeys(reference for each in told for reference in each.references))
    return _Wanted(_amount(told[0]), references, tuple({each.loan for each in told if each.loan}), True)


def _amount(movement: Movement) -> tuple[Direction, int, str]:
    return movement.direction, movement.amount_fen, movement.currency


Keys = Callable[[_Wanted], Iterable[Hashable]]
RULES: Mapping[str, Keys] = {
    "reference": lambda wanted: [(reference, wanted.amount) for reference in wanted.references],
    "reference alone": lambda wanted: [(reference, wanted.amount[0]) for reference in wanted.references],
    "loan": lambda wanted: [(loan, wanted.amount) for loan in wanted.loans],
    "loan alone": lambda wanted: [(loan, wanted.amount[0]) for loan in wanted.loans],
    "amount and day": lambda wanted: [wanted.amount] if wanted.bare else [],
}


class _Search:
    """Takes lines and pairs together, one rule after the other; within a rule the earliest line gets the earliest pair that is near enough."""

    def __init__(self, bank: Sequence[Movement], pairs: Sequence[Item]) -> None:
        self._bank, self._pairs = bank, pairs
        self._lines = sorted(range(len(bank)), key=lambda at: bank[at].on)
        self._line_of: dict[int, tuple[int, str]] = {}
        self._taken: set[int] = set()

    def take(self, rule: str, days: int) -> None:
        """Take together what the rule finds, at most so many days apart."""
        keys, pools = RULES[rule], self._pools(RULES[rule])
        for at in [at for at in self._lines if at not in self._taken]:
            line = self._bank[at]
            for key in keys(_of_line(line)):
                if (pair := self._nearest(pools.get(key), line.on.toordinal(), days)) is not None:
                    self._line_of[pair] = (at, rule.removesuffix(" alone"))
                    self._taken.add(at)
                    break

    def _pools(self, keys: Keys) -> dict[Hashable, deque[tuple[int, int]]]:
        free = [(pair.booked.on.toordinal(), at) for at, pair in enumerate(self._pairs) if at not in self._line_of and pair.booked]
        pools: dict[Hashable, deque[tuple[int, int]]] = defaultdict(deque)
        for day, at in sorted(free):
            for key in keys(_of_pair(self._pairs[at])):
                pools[key].append((day, at))
        return pools

    def _nearest(self, pool: deque[tuple[int, int]] | None, day: int, days: int) -> int | None:
        """Lines come by day: what is too early for this one is too early for all that follow."""
        while pool:
            booked, at = pool[0]
            if booked > day + days:
                return None
            pool.popleft()
            if at not in self._line_of and booked >= day - days:
                return at
        return None

    def items(self) -> list[Item]:
        found = []
        for at, pair in enumerate(self._pairs):
            line, by = self._line_of.get(at, (None, ""))
            found.append(pair if line is None else replace(pair, bank=self._bank[line], by=by))
        return found

    def lonely(self) -> list[Movement]:
        return [line for at, line in enumerate(self._bank) if at not in self._taken]


def _judge(item: Item, known: Container[str], days: int) -> Kind:
    """Return what is wrong with an item of our side, the gravest first."""
    if item.loans is None:
        named = item.ledger.loan if item.ledger else ""
        return Kind.UNKNOWN_LOAN if named and named not in known else Kind.MISSING_IN_LOANS
    if item.ledger is None:
        return Kind.MISSING_IN_LEDGER
    if len({_amount(each) for each in item.movements}) > 1:
        return Kind.AMOUNT_DIFFERS
    if item.bank is None:
        return Kind.MISSING_IN_BANK
    return Kind.MATCHED if abs((item.bank.on - item.loans.on).days) <= days else Kind.WRONG_DAY


def _lonely(line: Movement, first: dict[Hashable, str], known: Container[str]) -> Item:
    """Judge a line of the bank for which our side has nothing."""
    twin = first.get(_repeated(line), "") if line.references else ""
    if twin:
        return Item(kind=Kind.DUPLICATE, bank=line, twin=twin)
    unknown = any(looks_like_a_loan(reference) and reference not in known for reference in line.references)
    return Item(kind=Kind.UNKNOWN_LOAN if unknown else Kind.MISSING_IN_LEDGER, bank=line)


def _repeated(line: Movement) -> Hashable:
    return line.references, *_amount(line)


def looks_like_a_loan(reference: str) -> bool:
    """Say whether a reference is written like a loan's id: LN and sixteen hexadecimal digits."""
    return len(reference) == 18 and reference.startswith("LN") and set(reference[2:]) <= set("0123456789ABCDEF")


KINDS = tuple(Kind)


def _order(item: Item) -> tuple[bool, int, str, int, str]:
    first = item.movements[0]
    return item.kind is Kind.MATCHED, KINDS.index(item.kind), first.on.isoformat(), len(first.place), first.place
