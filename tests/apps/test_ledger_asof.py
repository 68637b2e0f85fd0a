"""Questions to the ledger: an account as it was at any time equals the journal replayed to then; transfers by account, code, time and reference."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import asof, core
from reference_apps.ledger.algebra.model import SECOND_NS, U128, Account, Pending, Transfer
from reference_apps.ledger.algebra.transfertable import Wanted
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import moments, web
from reference_apps.ledger.keeping import body
from reference_apps.ledger.keeping.desk import Desk
from tests.apps.ledger_fast import ACCOUNTS, IMPORTED, START, Way, history, move

Ask = Callable[..., Awaitable[Any]]


def replayed_to(way: Way, at_ns: int) -> Books:
    """Replay everything up to a time, one transfer after the other, and release what has expired by then."""
    books = Books()
    for record in way.journal:
        for one in body.read(record.body):
            for account in one.accounts:
                if account.timestamp <= at_ns:
                    books.accounts.put(account.id, account)
            for transfer in one.transfers:
                if transfer.timestamp <= at_ns:
                    core.record(books, transfer)
    core.expire(books, at_ns)
    return books


def then(way: Way, account_id: int, at_ns: int) -> Account | None:
    accounts = way.books.tables.accounts
    row = accounts.ids.find_one(account_id)
    return asof.account(way.books.tables.transfers, accounts.at(row), row, at_ns)


def random_life(dice: Random, way: Way) -> None:
    """Plain, pending (some with a timeout, some closing), posts, voids, imported batches, idle sweeps, and a clock that jumps."""
    now_ns, accounts = START, (1, 2, 3, 10, 11, 2**100)
    for number in range(90):
        now_ns += dice.choice((1, 5, SECOND_NS // 3, SECOND_NS, 4 * SECOND_NS, -SECOND_NS))
        if dice.random() < 0.2:
            draft = way.books.draft()
            core.expire(draft, now_ns)
            draft.keep()
            continue
        batch: list[Transfer] = []
        for place in range(dice.randrange(1, 5)):
            each = 1000 + 10 * number + place
            debit, credit = dice.sample(accounts, 2)
            kind = dice.random()
            if kind < 0.4:
                batch.append(move(each, debit, credit, dice.choice((1, 7, 20, 2**63, 2**100 if kind < 0.02 else 3))))
            elif kind < 0.75:
                flags, timeout = dice.choice((2, 2, 2, 2, 2, 2 | 64, 2 | 128)), dice.choice((0, 1, 3))
                batch.append(move(each, debit, credit, dice.choice((0, 7, 2**63)), flags=flags, timeout=timeout))
            else:
                held = [pending_id for pending_id, state in way.books.pendings.own.items() if state is Pending.PENDING]
                ends = replace(move(each, 0, 0, 0), ledger=0, code=0, pending_id=dice.choice(held or [1]))
                batch.append(replace(ends, flags=8) if kind > 0.85 else replace(ends, flags=4, amount=dice.choice((U128, 2))))
        way.one_by_one(history(way.books, batch, now_ns) if dice.random() < 0.3 else batch, now_ns)


@pytest.mark.parametrize("seed", range(5))
def test_an_account_at_any_time_is_the_journal_replayed_to_then(seed: int) -> None:
    dice, way = Random(seed), Way()
    random_life(dice, way)
    stamps = [each.timestamp for each in way.books.transfers.own.values()]
    ends = [each.expires_ns for each in way.books.transfers.own.values() if each.timeout]
    edges = [moment + by for moment in dice.sample(stamps, 25) + dice.sample(ends, min(10, len(ends))) for by in (-1, 0, 1)]
    for at_ns in [*edges, START - 1, START, way.books.last_ns]:
        books = replayed_to(way, at_ns)
        for account_id in ACCOUNTS:
            assert then(way, account_id, at_ns) == books.accounts.get(account_id), (account_id, at_ns)
    assert set(way.books.pendings.own.values()) >= {Pending.POSTED, Pending.VOIDED, Pending.EXPIRED}, "every end of a reservation has happened"
    assert sum(bool(each.flags & IMPORTED) for each in way.books.transfers.own.values()) > 5


def test_the_last_moment_is_now() -> None:
    way = Way()
    random_life(Random(99), way)
    core.expire(way.books, way.books.last_ns)
    for account_id in ACCOUNTS:
        assert then(way, account_id, way.books.last_ns) == way.books.accounts.get(account_id)


@pytest.mark.parametrize("seed", range(3))
def test_transfers_are_found_by_all_that_is_asked(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_apps.ledger.algebra.transfertable.AT_ONCE", 16)
    dice, way = Random(seed), Way()
    for number in range(40):
        batch = [move(1000 + 10 * number + each, *dice.sample((1, 10, 11), 2), 1, code=1 + each % 2, user_data_64=each % 3) for each in range(5)]
        way.one_by_one(batch, START)
    table = way.books.tables.transfers
    every = list(table.values())
    for _ in range(60):
        account = dice.choice((None, 1, 10, 11, 4))
        code, reference = dice.choice((None, 1, 2, 3)), dice.choice((None, 0, 1))
        since, until = sorted(dice.sample([each.timestamp for each in every], 2))
        limit = dice.choice((None, 1, 7, 1000))
        row = way.books.tables.accounts.ids.find_one(account) if account else None
        rows = table.rows(Wanted(account=row, code=code, user_data_64=reference, since_ns=since, until_ns=until), limit)
        wanted = [
            each
            for each in every
            if (account is None or account in (each.debit_account_id, each.credit_account_id))
            and code in (None, each.code)
            and reference in (None, each.user_data_64)
            and since <= each.timestamp < until
        ]
        assert [table.at(row) for row in rows.tolist()] == wanted[:limit]


MOMENTS = {
    "1700000000000000001": 1_700_000_000_000_000_001,
    "2023-11-14T22:13:20Z": 1_700_000_000 * SECOND_NS,
    "2023-11-15T06:13:20.000000001+08:00": 1_700_000_000 * SECOND_NS + 1,
    "1969-12-31T23:59:59.5Z": -SECOND_NS // 2,
}


@pytest.mark.parametrize("text, moment", MOMENTS.items())
def test_moments_are_read_to_the_nanosecond(text: str, moment: int) -> None:
    assert moments.read("as_of", text) == moment


NO_MOMENTS = ("", "yesterday", "2023-11-14", "2023-11-14T22:13:20", "2023-02-30T00:00:00Z", "-5", "9" * 30, "1.5", "2023-11-14T22:13:20 08:00")


@pytest.mark.parametrize("text", NO_MOMENTS)
def test_what_is_no_moment_is_named(text: str) -> None:
    with pytest.raises(Problem, match="as_of: ") as refused:
        moments.read("as_of", text)
    assert (refused.value.status, "2026-01-31T16:00:00Z" in refused.value.remedy) == (422, True)


def test_over_http(tmp_path: Path, ask: Ask) -> None:
    async def story() -> None:
        desk = Desk(tmp_path / "ledger.db", lambda: None)
        await desk.open()
        app = web.build(desk)
        await ask(app, "POST", "/v1/accounts", [{"id": number, "ledger": 156, "code": 7} for number in (8, 9, 10)])
        stamps = []
        for number in range(1, 5):
            event = {"id": number, "debit_account_id": 8, "credit_account_id": 9 if number % 2 else 10, "amount": 10, "ledger": 156, "code": number}
            answer = await ask(app, "POST", "/v1/transfers", [event | {"flags": ["pending"] if number == 4 else []}])
            stamps.append(answer.body["results"][0]["timestamp"])
        for at_ns, posted, pending in ((stamps[0] - 1, 0, 0), (stamps[0], 10, 0), (stamps[2], 30, 0), (stamps[3], 30, 10)):
            found = (await ask(app, "GET", f"/v1/accounts/8?as_of={at_ns}")).body
            assert (found["debits_posted"], found["debits_pending"], found["as_of"]) == (posted, pending, at_ns)
        assert (await ask(app, "GET", "/v1/accounts/8?as_of=2020-01-01T00:00:00Z")).status == 404
        assert "has not come yet" in (await ask(app, "GET", "/v1/accounts/8?as_of=2200-01-01T00:00:00Z")).body["detail"]
        assert "is no moment" in (await ask(app, "GET", "/v1/accounts/8?as_of=noon")).body["detail"]
        for query, ids in (("account=9", "13"), ("account=10&code=4", "4"), (f"since={stamps[1]}&until={stamps[3]}", "23"), (f"after={stamps[2]}", "4")):
            items = (await ask(app, "GET", f"/v1/transfers?{query}")).body["items"]
            assert "".join(each["id"] for each in items) == ids, query
        assert (await ask(app, "GET", "/v1/transfers/4")).body["state"] == "pending"
        for path in ("/v1/transfers/99", "/v1/accounts/99", "/v1/accounts/-1", "/v1/transfers?account=99", f"/v1/accounts/{2**200}"):
            assert (await ask(app, "GET", path)).status == 404
        assert (await ask(app, "GET", "/v1/transfers?code=70000")).status == 422
        await desk.close()

    asyncio.run(story())
