"""The report of a reconciliation: what matched, the breaks with what to do, and totals that foot. Pure: JSON-ready, CSV and text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reference_apps.ledger.closing import plaincsv, sentences
from reference_apps.ledger.closing.movement import Direction, Movement, Source, yuan
from reference_apps.ledger.closing.reconcile import KINDS, Item, Kind

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How many movements came in and went out, and how much, in fen."""

    count: int
    in_fen: int
    out_fen: int

    @property
    def net_fen(self) -> int:
        return self.in_fen - self.out_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days compared, both included."""

    begin: date
    end: date

    def __contains__(self, day: date) -> bool:
        return self.begin <= day <= self.end


def within(items: Iterable[Item], period: Period) -> tuple[Item, ...]:
    """Leave out what our side has before or after the period and the bank's file does not mention: it belongs to another day's report."""
    return tuple(item for item in items if item.bank or (item.booked and item.booked.on in period))


def total(movements: Iterable[Movement]) -> Sum:
    every = list(movements)
    came = [each.amount_fen for each in every if each.direction is Direction.IN]
    went = [each.amount_fen for each in every if each.direction is Direction.OUT]
    return Sum(count=len(every), in_fen=sum(came), out_fen=sum(went))


def of_source(items: Iterable[Item], source: Source, currency: str) -> Sum:
    """Add up what one source says, in one currency."""
    told = (getattr(item, source) for item in items)
    return total(each for each in told if each is not None and each.currency == currency)


def to_json(items: Sequence[Item], period: Period) -> Json:
    """Return the report: `footed` says that what the sources say apart from one another is what the breaks explain, in every currency."""
    breaks = [item for item in items if item.kind is not Kind.MATCHED]
    totals = [_currency(items, name) for name in sorted({each.currency for item in items for each in item.movements} or {"CNY"})]
    return {
        "from": period.begin.isoformat(),
        "to": period.end.isoformat(),
        "agreed": not breaks,
        "matched": len(items) - len(breaks),
        "breaks": [_break(number, item) for number, item in enumerate(breaks, 1)],
        "counts": {str(kind): sum(item.kind is kind for item in items) for kind in KINDS},
        "totals": totals,
        "footed": all(row["unexplained_fen"] == 0 for row in totals),
    }


def _currency(items: Sequence[Item], currency: str) -> Json:
    """Return what each source says, and how the difference between bank and ledger comes about, kind by kind."""
    sums = {source: of_source(items, source, currency) for source in Source}
    kinds = {kind: [item for item in items if item.kind is kind] for kind in KINDS}
    explained = {kind: _apart(group, currency) for kind, group in kinds.items() if kind is not Kind.MATCHED}
    difference = sums[Source.BANK].net_fen - sums[Source.LEDGER].net_fen
    return {
        "currency": currency,
        **{str(source): _row(each) for source, each in sums.items()},
        "difference_fen": difference,
        "explained": {str(kind): fen for kind, fen in explained.items() if fen},
        "unexplained_fen": difference - sum(explained.values()),
    }


def _apart(items: Sequence[Item], currency: str) -> int:
    return of_source(items, Source.BANK, currency).net_fen - of_source(items, Source.LEDGER, currency).net_fen


def _row(each: Sum) -> Json:
    return {"count": each.count, "in_fen": each.in_fen, "out_fen": each.out_fen, "net_fen": each.net_fen}


def _break(number: int, item: Item) -> Json:
    said = sentences.of(item)
    sides = {str(source): _side(getattr(item, source)) for source in Source}
    return {"number": number, "kind": str(item.kind), "loan_id": _loan(item), "reference": _reference(item), "what": said.what, "remedy": said.remedy, **sides}


def _side(movement: Movement | None) -> Json | None:
    if movement is None:
        return None
    told = {"direction": str(movement.direction), "amount_fen": movement.amount_fen, "currency": movement.currency}
    return {"place": movement.place, "on": movement.on.isoformat(), **told}


def _loan(item: Item) -> str:
    return next((each.loan for each in item.movements if each.loan), "")


def _reference(item: Item) -> str:
    return next((each.references[0] for each in item.movements if each.references), "")


SIDES = [f"{source}_{name}" for source in Source for name in ("day", "net_fen")]
HEADER = ["number", "kind", "loan_id", "reference", *SIDES, "currency", "what", "remedy"]


def to_csv(items: Sequence[Item]) -> str:
    """Return every item as a line, the breaks first, matched ones after them; amounts are signed fen, positive for what came in."""
    return plaincsv.write(HEADER, (_cells(number, item) for number, item in enumerate(items, 1)))


def _cells(number: int, item: Item) -> Iterator[str | int]:
    said = sentences.of(item)
    yield from (number, str(item.kind), _loan(item), _reference(item))
    for source in Source:
        movement: Movement | None = getattr(item, source)
        yield from (movement.on.isoformat(), movement.net_fen) if movement else ("", "")
    yield from (item.movements[0].currency, said.what, said.remedy)


def text(report: Mapping[str, Any]) -> str:
    """Return the report for a person, from its JSON form: the verdict, the totals, then each break with what to do."""
    breaks = report["breaks"]
    verdict = "All three agree" if report["agreed"] else f"{len(breaks)} break{'s' * (len(breaks) != 1)}"
    lines = [f"Reconciliation {_days(report)}: {verdict}, {report['matched']} matched", ""]
    for row in report["totals"]:
        lines += _table(row)
    for each in breaks:
        subject = " ".join(part for part in (each["loan_id"], each["reference"]) if part)
        places = ", ".join(f"{source} {each[source]['place']}" for source in map(str, Source) if each[source])
        lines.append(f"{each['number']:>3}. {each['kind'].replace('_', ' ')}  {subject}")
        lines += [f"     {each['what']}", f"     at: {places}", f"     do: {each['remedy']}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _days(report: Mapping[str, Any]) -> str:
    return str(report["from"]) if report["from"] == report["to"] else f"{report['from']} to {report['to']}"


def _table(row: Mapping[str, Any]) -> list[str]:
    currency = row["currency"]
    lines = [f"{currency:<10}{'count':>9}{'in':>20}{'out':>20}{'net':>20}"]
    for source in map(str, Source):
        each = row[source]
        amounts = "".join(f"{yuan(each[name], ''):>20}" for name in ("in_fen", "out_fen", "net_fen"))
        lines.append(f"{source:<10}{each['count']:>9,}{amounts}")
    lines.append(f"{'bank - ledger':<59}{yuan(row['difference_fen'], ''):>20}")
    lines += [f"  {'of which ' + kind.replace('_', ' '):<57}{yuan(fen, ''):>20}" for kind, fen in row["explained"].items()]
    lines.append(f"{'unexplained':<59}{yuan(row['unexplained_fen'], ''):>20}")
    return [*lines, ""]
