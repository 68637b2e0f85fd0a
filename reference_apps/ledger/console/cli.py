"""The operator's commands. Those that look read the journal beside the running writer; what changes the books asks the running service."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from ctl.kit.identity import Identity, config
from ctl.kit.problem import Problem
from reference_apps.ledger import businessday, settings
from reference_apps.ledger.algebra.model import U128
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import accountstatement, bankaccount, bankfile, breaklist, dayreport, ledgerrows, loanstatement, subledger
from reference_apps.ledger.closing.accountstatement import Page
from reference_apps.ledger.console import remote, screens
from reference_apps.ledger.console.remote import Answered, OutOfReach
from reference_apps.ledger.door import statementviews, views
from reference_apps.ledger.keeping import journals
from reference_apps.ledger.keeping.journal import Unreachable
from reference_apps.ledger.keeping.journals import Place
from reference_apps.ledger.keeping.record import Broken

FAILED, USAGE, REFUSED, NOT_FOUND, OUT_OF_REACH, LATE, DIFFERENT = 1, 2, 3, 4, 5, 7, 8
PAUSE_S, MOST_STARTS = 0.5, 3
STATUSES = "Status: 0 ok, 1 failed, 2 bad input, 3 refused, 4 not found, 5 out of reach, 7 not over in time, 8 differences found."
OF_PROBLEM = {404: NOT_FOUND, 409: REFUSED, 422: USAGE}


class Stop(Exception):
    """Ends a command with a status of its own, and says why."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


@click.group(epilog=STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look at the ledger's books, and close its days. Without a command this is the service itself."""


def _shared(*shapes: str) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        shape = click.option("-o", "--output", type=click.Choice(["table", *shapes]), default="table", help="Shape of the answer on standard output.")
        where = click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with ledger.db (MSXF_DATA_DIR); not used with PostgreSQL.")
        return where(shape(command))

    return decorate


DAY = click.DateTime(["%Y-%m-%d"])


@cli.command("trial-balance")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most accounts shown one by one.")
@click.option("--after", type=click.IntRange(0, U128), default=0, help="Go on with the accounts after this one.")
@_shared("json")
def trial_balance(limit: int, after: int, data_dir: Path | None, output: str) -> int:
    """Add up every account by ledger and code, and hold the control accounts against the loans."""
    books, head = _books(_place(data_dir))
    body = views.trial_balance(books, limit, after) | {"through": f"through record {head[0]}"}
    _show(output, body, screens.trial_balance)
    return 0 if body["balanced"] else DIFFERENT


@cli.command()
@click.option("--account", type=int, help="Number of an account, such as 1001 for the bank.")
@click.option("--loan", help="A loan's id.")
@click.option("--from", "begin", type=DAY, help="First day; the first of the month, or the loan's first day.")
@click.option("--to", "end", type=DAY, help="Last day; today.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="Most lines.")
@click.option("--after", type=click.IntRange(0), default=0, help="Go on after this place: the page before says it.")
@_shared("json", "csv")
def statement(
    account: int | None, loan: str | None, begin: datetime | None, end: datetime | None, limit: int, after: int, data_dir: Path | None, output: str
) -> int:
    """Show what an account or a loan stood at, every line, and what it stands at."""
    if (account is None) == (loan is None):
        raise click.UsageError("name either --account or --loan")
    books, _ = _books(_place(data_dir))
    last = end.date() if end else businessday.day_of(time.time_ns())
    if account is not None:
        page = _of_account(books, account, (begin.date() if begin else last.replace(day=1), last), Page(limit=limit, after=after))
        _show(output, page, screens.account_statement, statementviews.account_csv)
    else:
        page = _of_loan(books, loan or "", (begin.date() if begin else None, last), Page(limit=limit, after=after))
        _show(output, page, screens.loan_statement, statementviews.loan_csv)
    return 0


@cli.command()
@_shared("json")
def verify(data_dir: Path | None, output: str) -> int:
    """Check that every record of the journal follows on the one before it."""
    place = _place(data_dir)
    try:
        count, newest = journals.verify(place)
    except Broken as error:
        raise Stop(f"{error}; keep the file as evidence, records before this one are sound", DIFFERENT) from error
    except Unreachable as error:
        raise Stop(str(error), OUT_OF_REACH) from error
    _show(output, {"verified": True, "records": count, "head": newest}, screens.verified)
    return 0


@cli.command()
@_shared("json")
def replay(data_dir: Path | None, output: str) -> int:
    """Rebuild the books from the first record on, and hold them against themselves."""
    began = time.monotonic()
    books, head = _books(_place(data_dir))
    while not subledger.learn(books, 10**6):
        pass
    checks = dayreport.checks(books)
    counts = {"records": head[0], "accounts": len(books.tables.accounts), "transfers": len(books.tables.transfers), "loans": len(books.loans.own)}
    body = counts | {"days ended": len(books.dayends.own), "head": head[1], "took_s": round(time.monotonic() - began, 3)} | checks
    _show(output, body, screens.replayed)
    return 0 if checks["ok"] else DIFFERENT


@cli.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--from", "begin", type=DAY, help="First day; the file's first.")
@click.option("--to", "end", type=DAY, help="Last day; the file's last.")
@click.option("--tolerance-days", type=click.IntRange(0, 31), default=1, show_default=True, help="How far apart the days of one payment may be.")
@_shared("json", "csv")
def reconcile(file: Any, begin: datetime | None, end: datetime | None, tolerance_days: int, data_dir: Path | None, output: str) -> int:
    """Hold the bank's FILE (CSV; - is standard input) against the bank account and the loans."""
    try:
        lines = bankfile.read(file.read())
    except (Problem, UnicodeDecodeError) as error:
        raise Stop(f"{file.name}: {error}", USAGE) from error
    period = bankaccount.period_of(lines, begin.date() if begin else None, end.date() if end else None)
    if period is None:
        raise click.UsageError("the file has no lines, so it does not say its days: name them with --from and --to")
    books, _ = _books(_place(data_dir))
    items = bankaccount.reconciled(books, lines, period, tolerance_days)
    report = breaklist.to_json(items, period)
    _show(output, report, breaklist.text, lambda _: breaklist.to_csv(items))
    return 0 if report["agreed"] else DIFFERENT


@cli.command("day-end")
@click.argument("day", type=DAY)
@click.option("--server", help="Where the ledger answers (LEDGER_SERVER); else through the gateway of MSXF_GATEWAY.")
@click.option("--look", is_flag=True, help="Begin nothing, only show how the day stands.")
@click.option("--timeout-s", type=click.IntRange(1), default=3600, show_default=True, help="How long to wait for the end.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Shape of the answer on standard output.")
def day_end(day: datetime, server: str | None, look: bool, timeout_s: int, output: str) -> int:
    """End a business DAY (days that were missed first), or go on with it, and wait for its report."""
    where, on = _server(server), day.date()
    try:
        report = remote.ask(where, "GET", f"/v1/day-ends/{on}") if look else _ended(where, on, timeout_s)
    except Answered as error:
        raise Stop(f"{error}; {error.body.get('remedy', 'look at the log of the ledger')}", OF_PROBLEM.get(error.status, FAILED)) from error
    except OutOfReach as error:
        raise Stop(str(error), OUT_OF_REACH) from error
    _show(output, report, dayreport.text)
    if report["state"] != "done":
        return FAILED if report["state"] == "stopped" else 0 if look else LATE
    return 0 if report["checks"]["ok"] else DIFFERENT


def _ended(server: str, day: date, timeout_s: int) -> dict[str, Any]:
    """Have the day ended; a run that stops, because the ledger has changed hands or its disk was full, is sent on its way again a few times."""
    deadline = time.monotonic() + timeout_s
    for _ in range(MOST_STARTS):
        remote.ask(server, "POST", "/v1/day-ends", {"day": day.isoformat()}, key=f"day-end-{day}")
        report = _followed(server, day, deadline)
        if report["state"] != "stopped" or time.monotonic() > deadline:
            break
    return report


def _followed(server: str, day: date, deadline: float) -> dict[str, Any]:
    """Ask until the day is done or nobody works on it; missed days before it come first."""
    told = ""
    while True:
        report = _newest(server, day)
        over = report["state"] == "stopped" or (report["state"] == "done" and report["day"] == day.isoformat())
        if over or time.monotonic() > deadline:
            return report
        line = f"  {report['day']} {report.get('stage', report['state'])}: {report.get('loans_done', report['loans']):,} of {report['loans']:,} loans"
        if line != told and sys.stderr.isatty():
            click.echo(line, err=True)
        told = line
        time.sleep(PAUSE_S)


def _newest(server: str, day: date) -> dict[str, Any]:
    """Return the day asked for, or the one before it that is being caught up."""
    try:
        return remote.ask(server, "GET", f"/v1/day-ends/{day}")
    except Answered as error:
        if error.status != 404:
            raise
    after = ""
    while True:
        page = remote.ask(server, "GET", f"/v1/day-ends?limit=1000{after}")
        if page["next"] is None:
            newest: dict[str, Any] = page["items"][-1]
            between = {"state": "running" if page["running"] else "stopped", "stage": "done", "loans_done": newest["loans"]}
            return newest | between if newest["state"] == "done" else newest
        after = f"&after={page['next']}"


def _place(data_dir: Path | None) -> Place:
    try:
        place = settings.place(config, data_dir or Identity.from_environ().data_dir)
    except ValueError as error:
        raise Stop(str(error), USAGE) from error
    if isinstance(place, Path) and not place.exists():
        raise Stop(f"there is no journal at {place}; name its folder with --data-dir", NOT_FOUND)
    return place


def _books(place: Place) -> tuple[Books, tuple[int, str]]:
    try:
        return journals.books(place)
    except Broken as error:
        raise Stop(f"the journal does not prove itself: {error}", DIFFERENT) from error
    except Unreachable as error:
        raise Stop(str(error), OUT_OF_REACH) from error
    except ValueError as error:
        raise Stop(f"the journal cannot be replayed: {error}", FAILED) from error


def _of_account(books: Books, account_id: int, days: tuple[date, date], page: Page) -> dict[str, Any]:
    account = books.accounts.get(account_id)
    if account is None:
        raise Stop(f"there is no account {account_id}; trial-balance lists them by id", NOT_FOUND)
    if days[0] > days[1]:
        raise click.UsageError(f"--from {days[0]} is after --to {days[1]}")
    transfers = (transfer for _, transfer in ledgerrows.touching(books, account_id))
    return statementviews.account(account, accountstatement.of(account_id, transfers, *days, page))


def _of_loan(books: Books, loan_id: str, days: tuple[date | None, date], page: Page) -> dict[str, Any]:
    loan = books.loans.get(loan_id)
    if loan is None:
        raise Stop(f"there is no loan {loan_id}", NOT_FOUND)
    first = days[0] or loan.terms.disbursed_on
    if first > days[1]:
        raise click.UsageError(f"--from {first} is after --to {days[1]}")
    return statementviews.loan(loan, loanstatement.of(loan, first, days[1]), page.after, page.limit)


def _server(server: str | None) -> str:
    found = server or os.environ.get("LEDGER_SERVER") or (f"{gateway}/ledger" if (gateway := Identity.from_environ().gateway) else "")
    if not found:
        raise click.UsageError("say where the ledger answers: --server http://127.0.0.1:PORT, or LEDGER_SERVER")
    return found


def _show(output: str, body: Mapping[str, Any], to_text: Callable[[Mapping[str, Any]], str], to_csv: Callable[[Any], str] | None = None) -> None:
    if output == "json":
        click.echo(json.dumps(body, ensure_ascii=False, indent=2))
    elif output == "csv" and to_csv is not None:
        click.echo(to_csv(body), nl=False)
    else:
        click.echo(to_text(body), nl=False)


def run(args: list[str]) -> int:
    """Do what the command line says and return the exit status."""
    try:
        result = cli.main(args, prog_name="ledger", standalone_mode=False)
    except Stop as error:
        click.echo(f"✖ {error}", err=True)
        return error.status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return result if isinstance(result, int) else 0
