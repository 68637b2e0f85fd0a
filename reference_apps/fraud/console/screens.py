"""What the operator's commands show of trials and rules. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return lines whose columns stand under each other; those in `right` are aligned to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    return [
        "  ".join(cell.rjust(width) if at in right else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def trial(told: Json) -> str:
    """Return a trial: the verdicts that change first, then rule by rule, then what each overlaps with and examples."""
    labelled = told["labelled"]
    head = f"{told['events']:,} events over {told['days']:g} days; labelled: {labelled['fraud']:,} fraud, {labelled['honest']:,} honest"
    changes = [f"  {each['from']} -> {each['to']}: {each['events']:,}" for each in told["changes"]] or ["  no verdict changes"]
    rows = [_row(each) for each in told["rules"]]
    header = ("rule", "state", "hits", "alerts", "share", "a day", "precision", "recall", "would change alone")
    return "\n".join([head, *changes, "", *table(header, rows, frozenset({2, 3, 4, 5, 6, 7})), *_more(told["rules"])]) + "\n"


def _row(each: Json) -> tuple[str, ...]:
    changes = ", ".join(f"{one['from']} -> {one['to']} {one['events']:,}" for one in each["changes"]) or "nothing"
    counts = (f"{each['hits']:,}", f"{each['alerts']:,}", f"{each['share']:.3%}", f"{each['alerts_per_day']:g}")
    return each["id"], each["state"] if each["kind"] == "rule" else each["kind"], *counts, _ratio(each["precision"]), _ratio(each["recall"]), changes


def _ratio(told: Json) -> str:
    return f"too few ({told['n']})" if told["value"] is None else f"{told['value']:.1%} of {told['n']}"


def _more(rules: Iterable[Json]) -> list[str]:
    found: list[str] = []
    for each in rules:
        if each["hits"]:
            overlap = ", ".join(f"{one['id']} {one['events']:,}" for one in each["overlap"][:5]) or "none"
            found += ["", f"{each['id']}: also said by {overlap}", f"  examples: {', '.join(each['examples'])}"]
    return found


def rules(told: Json) -> str:
    """Return the rules in force."""
    rows = [(each["id"], each["state"], each["verdict"], each["content"], each["when"]) for each in told["rules"]]
    return "\n".join(table(("rule", "state", "verdict", "content", "when"), rows)) + "\n"
