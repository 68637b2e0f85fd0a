"""The chart's numbers are the chart's: nobody else opens an account under one, and one that somebody had before is not taken for ours."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.algebra import layout
from reference_apps.ledger.algebra.model import Account
from reference_apps.ledger.door import web
from reference_apps.ledger.keeping import journals, record
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.entry import Entry
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control

Ask = Callable[..., Awaitable[Any]]
Story = Callable[[Ask, Desk], Awaitable[None]]
RECORDS = {"content-type": "application/octet-stream"}


@pytest.fixture
def told(tmp_path: Path, ask: Ask) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        async def run() -> None:
            desk = Desk(tmp_path / "ledger.db", lambda: None)
            await desk.open()
            app = web.build(desk)
            try:
                await story(lambda method, path, body=None, headers=None: ask(app, method, path, body, headers), desk)
            finally:
                await desk.close()

        asyncio.run(run())

    return tell


def opened(*ids: int) -> list[dict[str, Any]]:
    return [{"id": each, "ledger": 156, "code": 7} for each in ids]


def test_the_whole_chart_lies_in_the_numbers_kept_for_it() -> None:
    assert all(int(control) in chart.RESERVED for control in Control)
    assert not any(chart.taken(each, Control(each.id)) for each in chart.accounts())


def test_nobody_opens_an_account_under_a_number_of_the_chart(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        before = len(desk.books.tables.accounts)
        many = [*range(20_000, 20_200), 4_105]
        as_records = layout.accounts_batch(Account(id=each, ledger=156, code=7) for each in many).tobytes()
        wrong = ((opened(999, 1_000), None, "1: id: 1000"), (opened(9_999), None, "0: id: 9999"), (opened(*many), None, "200: id: 4105"))
        for body, headers, named in (*wrong, (as_records, RECORDS, "200: id: 4105"), (as_records[-128:], RECORDS, "0: id: 4105")):
            refused = await ask("POST", "/v1/accounts", body, headers)
            assert (refused.status, refused.body["code"], named in refused.body["detail"]) == (422, "reserved_account", True), refused.body
            assert "1000 to 9999" in refused.body["detail"]
        assert len(desk.books.tables.accounts) == before
        results = (await ask("POST", "/v1/accounts", opened(999, 10_000, 2**64 + 4_104, 1_001))).body["results"]
        assert [row["status"] for row in results] == ["created"] * 3 + ["exists_with_different_code"]

    told(story)


@pytest.fixture
def older(tmp_path: Path) -> None:
    """Books in which 4104 was a customer's before the chart had a recovery income."""
    journal = journals.open_at(tmp_path / "ledger.db")
    journal.begin_epoch()
    accounts = [replace(each, timestamp=number) for number, each in enumerate(chart.accounts(), 1) if each.id != Control.RECOVERY_INCOME]
    theirs = Account(id=int(Control.RECOVERY_INCOME), ledger=156, code=7, timestamp=50)
    journal.append(record.write([Entry(accounts=[*accounts, theirs])], journal.head(), journal.epoch, 1))
    journal.close()


def test_an_account_that_somebody_had_before_stays_theirs(older: None, told: Callable[[Story], None], caplog: pytest.LogCaptureFixture) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        assert "account 4104 is not the chart's recovery_income: somebody else opened it" in caplog.text
        assert [each["status"] for each in (await ask("POST", "/v1/accounts", opened(8, 4_104))).body["results"]] == ["created", "exists"]
        move = {"debit_account_id": 8, "credit_account_id": 4_104, "amount": 5, "ledger": 156, "code": 1}
        for first, count in ((1, 1), (2, 200)):
            results = (await ask("POST", "/v1/transfers", [{**move, "id": first + number} for number in range(count)])).body["results"]
            assert {row["status"] for row in results} == {"created"}
        for count in (2, 200):
            batch = [{**move, "id": 900 + number, "debit_account_id": 8 if number else 1_101} for number in range(count)]
            refused = await ask("POST", "/v1/transfers", batch)
            assert (refused.status, refused.body["code"]) == (422, "control_account")

    told(story)


def test_a_recovery_is_not_posted_to_an_account_of_somebody_else(older: None, told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        body = {"reference": "c", "customer": "c", "principal_fen": 100_000, "annual_rate": "0.12", "periods": 6}
        loan = (await ask("POST", "/v1/loans", body, {"idempotency-key": "1"})).body["loan_id"]
        assert (await ask("POST", f"/v1/loans/{loan}/charge-off", {}, {"idempotency-key": "2"})).status == 201
        refused = await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": 5_000}, {"idempotency-key": "3"})
        assert (refused.status, refused.body["code"]) == (409, "control_account_taken")
        assert "account 4104 is not the chart's recovery_income" in refused.body["detail"]
        assert desk.books.accounts.own[4_104].credits_posted == 0

    told(story)
