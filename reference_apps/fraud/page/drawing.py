"""A ring as a drawing: its accounts on the left, what they share on the right, a line for each use. Pure: the same alerts give the same drawing.

A big ring is shortened to what ties it together most; what is left out is counted. Rows are put near what they are linked to (means of their neighbours' rows,
a few times over), so that lines cross little.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reference_apps.fraud.cases.model import Alert
from reference_apps.fraud.model import Family, Verdict

SHARED = tuple(family.value for family in (Family.DEVICE, Family.PHONE, Family.CONTACT, Family.ADDRESS))
MOST_ROWS = 12
"""So many accounts, and as many things that they share, are still read at a glance."""
ROUNDS = 6

WIDTH, PILL, ROW, TOP = 600, 230, 36, 30
LEFT, RIGHT = 4, WIDTH - PILL - 4
MOST_CELLS = 20
"""How much of a name is shown, in narrow characters; the whole one is the title."""

Key = tuple[str, str]
"""A family and what it has there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pill:
    """A name in its place. `kind`: how it is drawn; `said` is read out, and shown on demand."""

    kind: str
    mark: str
    label: str
    said: str
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn. `y` of a pill is its middle; `lines` are paths; `more_*`: what was left out; `said`: the drawing in words."""

    width: int
    height: int
    pill: int
    right: int
    pills: tuple[Pill, ...]
    lines: tuple[str, ...]
    accounts: int
    more_accounts: int
    shared: int
    more_shared: int
    is_shared: bool
    said: str


def draw(alerts: Sequence[Alert]) -> Drawing:
    """Draw the ring of a case; one whose accounts share nothing shows what each has."""
    strictest = _strictest(alerts)
    uses = _uses(alerts)
    shared = {key: accounts for key, accounts in uses.items() if len(accounts) > 1}
    ties = shared or uses
    keys = sorted(ties, key=lambda key: (-len(ties[key]), SHARED.index(key[0]), key[1]))[:MOST_ROWS]
    accounts = _chosen(tuple(strictest), ties, keys)
    accounts, keys = _ordered(accounts, keys, ties)
    height = TOP + ROW * max(len(accounts), len(keys), 1)
    left, right = _rows(len(accounts), height), _rows(len(keys), height)
    pills = [_account(name, strictest[name], y) for name, y in zip(accounts, left, strict=True)]
    pills += [_thing(key, len(ties[key]), y) for key, y in zip(keys, right, strict=True)]
    lines = [_line(left[accounts.index(name)], y) for key, y in zip(keys, right, strict=True) for name in ties[key] if name in accounts]
    return Drawing(
        width=WIDTH,
        height=height,
        pill=PILL,
        right=RIGHT,
        pills=tuple(pills),
        lines=tuple(lines),
        accounts=len(strictest),
        more_accounts=len(strictest) - len(accounts),
        shared=len(shared),
        more_shared=len(ties) - len(keys),
        is_shared=bool(shared),
        said=_said(len(strictest), shared),
    )


def _strictest(alerts: Sequence[Alert]) -> dict[str, int]:
    """Return the accounts in the order of their first alerts, each with its strictest verdict."""
    found: dict[str, int] = {}
    for alert in alerts:
        found[alert.account] = max(alert.verdict, found.get(alert.account, 0))
    return found


def _uses(alerts: Sequence[Alert]) -> dict[Key, tuple[str, ...]]:
    """Return which accounts name what, each once."""
    found: dict[Key, dict[str, None]] = {}
    for alert in alerts:
        for family in SHARED:
            for value in alert.keys.get(family, ()):
                found.setdefault((family, value), {})[alert.account] = None
    return {key: tuple(accounts) for key, accounts in found.items()}


def _chosen(accounts: Sequence[str], ties: Mapping[Key, Sequence[str]], keys: Sequence[Key]) -> list[str]:
    """Return the accounts that are drawn: those with most lines, then those of the earliest alerts."""
    lines = dict.fromkeys(accounts, 0)
    for key in keys:
        for account in ties[key]:
            lines[account] += 1
    return sorted(accounts, key=lambda account: -lines[account])[:MOST_ROWS]


def _ordered(accounts: list[str], keys: list[Key], ties: Mapping[Key, Sequence[str]]) -> tuple[list[str], list[Key]]:
    """Put both columns in an order in which lines cross little."""
    for _ in range(ROUNDS):
        place = {account: at for at, account in enumerate(accounts)}
        keys = sorted(keys, key=lambda key: (_mean([place[each] for each in ties[key] if each in place]), key))
        where = {key: at for at, key in enumerate(keys)}
        accounts = sorted(accounts, key=lambda account: (_mean([at for key, at in where.items() if account in ties[key]]), place[account]))
    return accounts, keys


def _mean(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else float("inf")


def _rows(count: int, height: int) -> list[int]:
    """Return the middle lines of a column's rows; the shorter column stands in the middle of the longer one."""
    begin = TOP + (height - TOP - count * ROW) // 2
    return [begin + number * ROW + ROW // 2 for number in range(count)]


def _account(name: str, verdict: int, y: int) -> Pill:
    kind, mark, word = ("block", "✖", "blocked") if verdict >= Verdict.BLOCK else ("review", "▲", "to be reviewed")
    return Pill(kind=kind, mark=mark, label=shortened(name), said=f"account {name}, {word}", x=LEFT, y=y)


def _thing(key: Key, accounts: int, y: int) -> Pill:
    family, value = key
    by = f"{accounts} accounts" if accounts > 1 else "1 account"
    return Pill(kind=family, mark=family, label=shortened(value), said=f"{family} {value}, of {by}", x=RIGHT, y=y)


def _line(left: int, right: int) -> str:
    begin, end = LEFT + PILL, RIGHT
    middle = (begin + end) // 2
    return f"M{begin} {left}C{middle} {left} {middle} {right} {end} {right}"


def _said(accounts: int, shared: Mapping[Key, Sequence[str]]) -> str:
    who = f"{accounts} accounts" if accounts > 1 else "One account, and what its alerts name."
    if not shared:
        return f"{who}; none of their alerts name the same device, phone, contact or address." if accounts > 1 else who
    found = [(family, [len(on) for (of, _), on in shared.items() if of == family]) for family in SHARED]
    counted = ", ".join(f"{len(sizes)} {plural(family, len(sizes))} (up to {max(sizes)} accounts on one)" for family, sizes in found if sizes)
    return f"{who} share {counted}."


def plural(family: str, count: int) -> str:
    return family if count == 1 else f"{family}es" if family.endswith("s") else f"{family}s"


def shortened(text: str, cells: int = MOST_CELLS) -> str:
    """Return a name that fits, its middle left out: beginnings and ends tell names of a series apart. Wide characters take two cells."""
    if _cells(text) <= cells:
        return text
    ends = (cells - 1) // 2
    return f"{_fitting(text, cells - 1 - ends)}…{_fitting(text[::-1], ends)[::-1]}"


def _fitting(text: str, cells: int) -> str:
    while _cells(text) > cells:
        text = text[:-1]
    return text


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
