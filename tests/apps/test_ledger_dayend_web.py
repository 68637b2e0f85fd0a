"""The end of a day through the desk and over HTTP: asked for twice it is one, killed anywhere it goes on, and a full disk leaves whole steps only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from reference_apps.ledger import businessday
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayend, dayrun
from reference_apps.ledger.closing.dayrun import DayRun
from reference_apps.ledger.closing.daystep import Stage
from reference_apps.ledger.door import web
from reference_apps.ledger.keeping.desk import Answer, Desk
from reference_apps.ledger.keeping.journal import Unwritable
from reference_apps.ledger.loans.chart import Control
from tests.apps.conftest import ask_asgi
from tests.apps.ledger_lives import balance

TODAY, EVE = date(2026, 11, 28), date(2026, 11, 27)
LOAN = {"reference": "case-1", "customer": "mike", "principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6, "disbursed_on": "2026-09-15"}
COSTLY = {"penalty_daily_rate": "0.0005", "late_fee_fen": 2_000, "penalty_grace_days": 3}
Ask = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def service(path: Path) -> AsyncIterator[tuple[Ask, Desk, Any]]:
    """An app over the books of a file; today is 2026-11-28."""
    ticks = iter(range(10**9))
    desk = Desk(path, on_fenced=lambda: None, clock_ns=lambda: businessday.begin_ns(TODAY) + next(ticks))
    await desk.open()
    app = web.build(desk, lambda: TODAY)

    async def ask(method: str, where: str, body: Any = None, key: str = "", **headers: str) -> Any:
        return await ask_asgi(app, method, where, body, ({"idempotency-key": key} if key else {}) | headers)

    try:
        yield ask, desk, app
    finally:
        await desk.close()


async def lend(ask: Ask, count: int = 3, **fields: Any) -> list[str]:
    made = [await ask("POST", "/v1/loans", LOAN | COSTLY | {"reference": f"case-{number}"} | fields, key=f"loan-{number}") for number in range(count)]
    assert [each.status for each in made] == [201] * count, made[0].body
    return [each.body["loan_id"] for each in made]


async def ended(ask: Ask, app: Any, day: date, key: str = "") -> Any:
    """End a day and wait for it."""
    began = await ask("POST", "/v1/day-ends", {"day": day.isoformat()}, key=key or f"end-{day}")
    assert began.status in (200, 202), began.body
    await app.rest.state.day_run.finished()
    return (await ask("GET", f"/v1/day-ends/{day}")).body


def test_a_day_ends_once_with_a_report_that_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, desk, app):
            loans = await lend(ask)
            paid = {"amount_fen": 172_548, "paid_on": "2026-10-15"}
            assert (await ask("POST", f"/v1/loans/{loans[0]}/repayments", paid, key="p0")).status == 201
            first = await ask("POST", "/v1/day-ends", {"day": "2026-11-27"}, key="e")
            assert (first.status, first.body["state"], first.body["stage"]) == (202, "running", "accrual")
            await app.rest.state.day_run.finished()
            report = (await ask("GET", "/v1/day-ends/2026-11-27")).body
            assert (report["state"], report["loans"], report["checks"]["ok"]) == ("done", 3, True)
            assert [row["loans"] for row in report["ageing"]] == [0, 1, 2, 0, 0, 0]
            assert report["accrued"]["fee_fen"] == 5 * 2_000, "one instalment of the first loan is late, two of each other"
            before = desk.books.posted.own, {control: balance(desk.books, control) for control in Control}, len(desk.books.transfers.own)
            again = await ask("POST", "/v1/day-ends", {"day": "2026-11-27"}, key="another")
            assert (again.status, again.body) == (200, report)
            same = await ask("POST", "/v1/day-ends", {"day": "2026-11-27"}, key="e")
            assert (same.status, same.body) == (200, report)
            assert before == (desk.books.posted.own, {control: balance(desk.books, control) for control in Control}, len(desk.books.transfers.own))
            trial = (await ask("GET", "/v1/trial-balance")).body
            assert trial["balanced"]
            assert all(row["difference_fen"] == 0 for row in trial["controls"])
        async with service(tmp_path / "ledger.db") as (ask, _, _):
            assert (await ask("GET", "/v1/day-ends/2026-11-27")).body == report, "kept with the books"
            assert (await ask("GET", "/v1/day-ends")).body == {"items": [report], "next": None, "running": False}

    asyncio.run(story())


def test_missed_days_are_caught_up_in_order_and_an_earlier_one_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, desk, app):
            await lend(ask)
            await ended(ask, app, date(2026, 10, 10))
            await ended(ask, app, date(2026, 10, 14))
            assert [known["day"] for known in (await ask("GET", "/v1/day-ends?limit=2")).body["items"]] == ["2026-10-10", "2026-10-11"]
            assert sorted(desk.books.dayends.own) == [date(2026, 10, day).toordinal() for day in range(10, 15)]
            for day, status, code in (("2026-10-01", 409, "day_is_closed"), ("2026-11-29", 422, "bad_input"), ("1999-01-01", 422, "bad_input")):
                refused = await ask("POST", "/v1/day-ends", {"day": day}, key=f"k{day}")
                assert (refused.status, refused.body["code"]) == (status, code)
            assert (await ask("GET", "/v1/day-ends/2026-10-20")).status == 404
            reused = await ask("POST", "/v1/day-ends", {"day": "2026-10-15"}, key="end-2026-10-14")
            assert (reused.status, reused.body["code"]) == (422, "idempotency_key_reused")
            assert (await ask("POST", "/v1/day-ends", {"day": "2026-10-15"})).status == 422, "without a key"

    asyncio.run(story())


def test_a_payment_of_an_earlier_day_corrects_what_was_posted(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, desk, app):
            (loan,) = await lend(ask, 1)
            report = await ended(ask, app, EVE)
            assert report["accrued"]["fee_fen"] == 4_000
            paid = await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": 345_096, "paid_on": "2026-10-15"}, key="late")
            assert paid.status == 201
            assert desk.books.posted.get(1).fee_fen == 0
            assert balance(desk.books, Control.PENALTY_INCOME) == 0
            later = await ended(ask, app, TODAY)
            assert (later["checks"]["ok"], later["accrued"]["fee_fen"]) == (True, 0)
            assert [row["loans"] for row in later["ageing"]] == [1, 0, 0, 0, 0, 0]

    asyncio.run(story())


def test_a_loan_is_charged_off_when_its_product_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, desk, app):
            loans = await lend(ask, 2, charge_off_days=40)
            await ask("POST", f"/v1/loans/{loans[0]}/repayments", {"amount_fen": 172_548, "paid_on": "2026-10-15"}, key="p0")
            report = await ended(ask, app, EVE)
            assert report["charged_off"] == {"loans": 1, "written_off_fen": 1_000_000}
            assert report["checks"]["ok"]
            gone = (await ask("GET", f"/v1/loans/{loans[1]}")).body
            assert (gone["status"], gone["charged_off_on"]) == ("charged_off", "2026-11-27")
            assert balance(desk.books, Control.WRITE_OFF) == 1_000_000
            again = await ended(ask, app, TODAY)
            assert (again["charged_off"]["loans"], again["ageing"][-1]["loans"]) == (0, 1)

    asyncio.run(story())


@dataclass
class Counting:
    """Runs commands and dies before the one with this number."""

    desk: Desk
    dies_at: int
    taken: int = 0
    seen: list[str] = field(default_factory=list)

    async def submit(self, command: Any, key: Any = None) -> Answer:
        if self.taken == self.dies_at:
            raise asyncio.CancelledError
        self.taken += 1
        return await self.desk.submit(command, key)

    @property
    def books(self) -> Books:
        return self.desk.books


def figures(books: Books) -> tuple[Any, ...]:
    """Return everything a day's end may change."""
    reports = {day: {name: value for name, value in (known.report or {}).items() if not name.endswith("_at")} for day, known in books.dayends.own.items()}
    loans = {loan.id: loan.happenings for loan in books.loans.own.values()}
    return books.posted.own, {control: balance(books, control) for control in Control}, loans, reports


def test_killed_before_any_step_it_goes_on_to_the_same_books(tmp_path: Path) -> None:
    """Steps are small here: two loans a stretch."""

    async def run(path: Path, dies_at: int) -> tuple[tuple[Any, ...], int]:
        async with service(path) as (ask, desk, _):
            await lend(ask, 5, charge_off_days=40)
            counting = Counting(desk, dies_at)
            first = DayRun(counting, lambda: TODAY, 2, 1)  # type: ignore[arg-type]
            try:
                await first.start(date(2026, 11, 26))
                await first.finished()
            except asyncio.CancelledError:
                pass
            taken = counting.taken
        async with service(path) as (_, desk, _):
            second = DayRun(desk, lambda: TODAY, 2, 1)
            for day in (date(2026, 11, 26), EVE):
                await second.start(day)
                await second.finished()
                assert second.why == ""
            newest = dayend.newest(desk.books)
            assert newest is not None
            assert (newest.day, newest.stage) == (EVE, Stage.DONE)
            return figures(desk.books), taken

    whole, steps = asyncio.run(run(tmp_path / "whole.db", 10**6))
    assert steps >= 9, "begin, three stretches or more, five charge-offs, the end"
    for dies_at in range(steps):
        found, _ = asyncio.run(run(tmp_path / f"killed-{dies_at}.db", dies_at))
        assert found == whole, dies_at


def test_requests_go_between_the_steps(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, app):
            app.rest.state.day_run.most_loans = 1
            loans = await lend(ask, 6)
            await ask("POST", "/v1/day-ends", {"day": "2026-11-27"}, key="e")
            stages = []
            for number in range(4):
                paid = await ask("POST", f"/v1/loans/{loans[number]}/repayments", {"amount_fen": 50_000}, key=f"p{number}")
                stages.append((await ask("GET", "/v1/day-ends/2026-11-27")).body)
                assert paid.status == 201
            assert stages[0]["state"] == "running"
            other = await ask("POST", "/v1/day-ends", {"day": "2026-11-28"}, key="other")
            assert other.status in (202, 409)
            await app.rest.state.day_run.finished()
            report = await ended(ask, app, EVE)
            assert (report["state"], report["checks"]["ok"]) == ("done", True)
            assert sum(row["loans"] for row in report["ageing"]) == 6

    asyncio.run(story())


def test_a_full_disk_leaves_whole_steps_and_the_run_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, desk, app):
            app.rest.state.day_run.most_loans = 2
            await lend(ask, 6)
            journal = desk._journal
            assert journal is not None
            append, appended = journal.append, []

            def full(record: Any) -> None:
                appended.append(record)
                if len(appended) in (3, 4):
                    raise Unwritable("database or disk is full")
                append(record)

            journal.append = full  # type: ignore[method-assign]
            stopped = await ended(ask, app, EVE)
            assert (stopped["state"], stopped["stage"], stopped["loans_done"]) == ("stopped", "accrual", 2)
            assert stopped["why"] == "the journal could not be written"
            await dayrun.learn(desk.books)
            assert (await ask("GET", "/v1/trial-balance")).body["balanced"]
            assert (await ask("POST", "/v1/day-ends", {"day": "2026-11-27"}, key="go-on")).status == 503
            report = await ended(ask, app, EVE, key="go-on-again")
            assert (report["state"], report["checks"]["ok"], report["accrued"]["loans"]) == ("done", True, 6)

    asyncio.run(story())


FILE = "date,reference,direction,amount,currency\n"


def test_a_banks_file_is_held_against_the_books(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, _):
            loans = await lend(ask, 2, disbursed_on="2026-11-28")
            await ask("POST", f"/v1/loans/{loans[0]}/repayments", {"amount_fen": 50_000}, key="pay-1")
            lines = [f"{TODAY},case-0,out,10000.00,CNY", f"{TODAY},loan-1,out,10000.00,CNY", f"{TODAY},pay-1,in,500.00,CNY"]
            agreed = await ask("POST", "/v1/reconciliations", (FILE + "\n".join(lines)).encode())
            assert (agreed.status, agreed.body["agreed"], agreed.body["matched"], agreed.body["footed"]) == (200, True, 3, True), agreed.body
            wrong = FILE + "\n".join([lines[0], lines[2].replace("500.00", "499.00"), f"{TODAY},,in,1.00,CNY"])
            broken = await ask("POST", "/v1/reconciliations", wrong.encode())
            assert [each["kind"] for each in broken.body["breaks"]] == ["amount_differs", "missing_in_bank", "missing_in_ledger"]
            assert broken.body["totals"][0]["unexplained_fen"] == 0
            text = await ask("POST", "/v1/reconciliations?format=text", wrong.encode())
            assert text.body.startswith("Reconciliation 2026-11-28: 3 breaks, 1 matched")
            assert (await ask("POST", "/v1/reconciliations?format=csv", wrong.encode())).body.startswith("number,kind,loan_id,reference")
            empty = await ask("POST", f"/v1/reconciliations?from={TODAY}&to={TODAY}", FILE.encode())
            assert empty.body["counts"]["missing_in_bank"] == 3
            for content, query, status in ((FILE.encode(), "", 422), (b"\xff", "", 422), (b"date\n", "", 422), (FILE.encode(), "?tolerance_days=99", 422)):
                assert (await ask("POST", f"/v1/reconciliations{query}", content)).status == status

    asyncio.run(story())


def test_reversed_and_back_dated_payments_still_tie_the_three_sides(tmp_path: Path) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, _):
            (loan,) = await lend(ask, 1)
            for number, (amount, day) in enumerate(((172_548, "2026-10-20"), (50_000, "2026-11-26"), (172_548, "2026-10-15"))):
                await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": amount, "paid_on": day}, key=f"pay-{number}")
            undone = await ask("POST", f"/v1/loans/{loan}/history/2/reversal", {"reason": "bounced"}, key="undo")
            assert undone.status == 201, undone.body
            begin = (date(2026, 9, 1)).isoformat()
            report = (await ask("POST", f"/v1/reconciliations?from={begin}&to={TODAY + timedelta(1)}", FILE.encode())).body
            assert report["counts"]["missing_in_bank"] == len(report["breaks"]) == 5, "ledger and loans agree on every event"
            assert report["totals"][0]["ledger"] == report["totals"][0]["loans"]
            assert report["totals"][0]["ledger"]["net_fen"] == -1_000_000 + 2 * 172_548

    asyncio.run(story())
