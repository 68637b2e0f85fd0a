"""The report of a day's end: what was posted, how old the book is, what was charged off, and whether the books agree with themselves. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from reference_apps.ledger import businessday
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import ledgerrows, subledger
from reference_apps.ledger.closing.daystep import AGES, DayEnd, Stage
from reference_apps.ledger.closing.movement import yuan
from reference_apps.ledger.closing.subledger import Check
from reference_apps.ledger.loans import chart

Json = dict[str, Any]


def of(known: DayEnd, books: Books, now_ns: int) -> Json:
    """Return the report of a day whose steps are taken; the checks are those of the committed books at this moment."""
    return figures(known) | {"checks": checks(books), "ended_at": businessday.moment(now_ns)}


def figures(known: DayEnd) -> Json:
    """Return what a day's end has done so far; the ageing table has one row for each age, principal in the books and what is overdue in fen."""
    tally = known.tally
    posted = {"interest_fen": tally.interest_fen, "fee_fen": tally.fee_fen, "penalty_fen": tally.penalty_fen, "loans": tally.posted}
    ages = [{"age": age, "loans": row[0], "principal_fen": row[1], "overdue_fen": row[2]} for age, row in zip(AGES, tally.ages, strict=True)]
    return {
        "day": known.day.isoformat(),
        "loans": known.upto,
        "accrued": posted,
        "ageing": ages,
        "charged_off": {"loans": known.charged_off, "written_off_fen": known.written_off_fen},
        "begun_at": businessday.moment(known.begun_ns),
    }


def progress(known: DayEnd, running: bool, why: str = "") -> Json:
    """Return how far a day's end is: its report once it is done; `stopped` when nobody works on it, with the reason if there is one."""
    if known.stage is Stage.DONE and known.report is not None:
        return {"state": "done", **known.report}
    state = {"state": "running" if running else "stopped", "stage": str(known.stage), "loans_done": min(known.next - 1, known.upto)}
    return state | ({"why": why} if why and not running else {}) | figures(known)


def checks(books: Books) -> Json:
    """Return the trial balance by ledger, and each control account against the loans. The columns must know every loan."""
    ledgers = [_ledger(books.committed, name, number) for name, number in chart.CURRENCIES.items()]
    controls = control_rows(subledger.checks(books))
    return {"ok": not any(row["difference_fen"] for row in (*ledgers, *controls)), "ledgers": ledgers, "controls": controls}


def control_rows(checks: Iterable[Check]) -> list[Json]:
    """Return what the loans and each control account say, JSON-ready."""
    return [
        {"account": each.control.name.lower(), "loans_fen": each.loans_fen, "control_fen": each.control_fen, "difference_fen": each.difference_fen}
        for each in checks
    ]


def _ledger(books: Books, currency: str, number: int) -> Json:
    debits, credits = ledgerrows.sums(books.tables.accounts, number)
    return {"currency": currency, "debits_fen": debits, "credits_fen": credits, "difference_fen": debits - credits}


def text(report: Mapping[str, Any]) -> str:
    """Return the report for a person, from its JSON form: the verdict first."""
    posted, gone = report["accrued"], report["charged_off"]
    lines = [f"End of {report['day']}: {_verdict(report)}", "", f"{'posted for ' + format(posted['loans'], ',') + ' loans':<34}{'CNY':>20}"]
    lines += [f"  {name:<32}{yuan(posted[f'{name}_fen'], ''):>20}" for name in ("interest", "fee", "penalty")]
    lines += ["", f"{'days past due':<16}{'loans':>12}{'principal':>24}{'overdue':>24}"]
    lines += [
        f"{row['age'].replace('_', ' '):<16}{row['loans']:>12,}{yuan(row['principal_fen'], ''):>24}{yuan(row['overdue_fen'], ''):>24}"
        for row in report["ageing"]
    ]
    lines += ["", f"charged off today: {gone['loans']:,} loans, {yuan(gone['written_off_fen'])}"]
    return "\n".join([*lines, *_checked(report)]) + "\n"


def _verdict(report: Mapping[str, Any]) -> str:
    if report["state"] == "done":
        return "done, the books agree" if report["checks"]["ok"] else "done, THE BOOKS DISAGREE"
    why = f": {report['why']}" if "why" in report else ""
    return f"{report['state']} at {report['stage'].replace('_', '-')}, {report['loans_done']:,} of {report['loans']:,} loans{why}"


def _checked(report: Mapping[str, Any]) -> list[str]:
    if report["state"] != "done":
        return []
    lines = ["", f"{'check':<22}{'loans say':>24}{'account says':>24}{'difference':>20}"]
    for row in report["checks"]["ledgers"]:
        amounts = (row["debits_fen"], row["credits_fen"], row["difference_fen"])
        lines.append(f"{'debits = credits ' + row['currency']:<22}{yuan(amounts[0], ''):>24}{yuan(amounts[1], ''):>24}{yuan(amounts[2], ''):>20}")
    for row in report["checks"]["controls"]:
        amounts = (row["loans_fen"], row["control_fen"], row["difference_fen"])
        lines.append(f"{row['account'].replace('_', ' '):<22}{yuan(amounts[0], ''):>24}{yuan(amounts[1], ''):>24}{yuan(amounts[2], ''):>20}")
    return lines
