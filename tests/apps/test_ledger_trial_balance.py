"""The trial balance: by ledger and code as of one moment, while postings go on; accounts page by page."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import astuple
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import SECOND_NS, Account
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import subledger, trialbalance
from reference_apps.ledger.closing.trialbalance import TrialBalance
from reference_apps.ledger.door import views, web
from reference_apps.ledger.keeping.desk import Desk
from tests.apps.ledger_fast import START, Way, move, plan
from tests.apps.ledger_work import pay_out
from tests.apps.test_ledger_snapshots import random_batch

Ask = Callable[..., Awaitable[Any]]


def counted(books: Books) -> dict[tuple[int, int], tuple[int, ...]]:
    """Every account added up one by one: how many, then the four sums."""
    found: Counter[tuple[int, int, int]] = Counter()
    for each in books.accounts.own.values():
        for place, fen in enumerate((1, each.debits_pending, each.debits_posted, each.credits_pending, each.credits_posted)):
            found[each.ledger, each.code, place] += fen
    return {key[:2]: tuple(found[*key[:2], place] for place in range(5)) for key in found}


def told(made: TrialBalance) -> dict[tuple[int, int], tuple[int, ...]]:
    return {key: astuple(total) for key, total in made.by_code.items()}


def opened(way: Way) -> None:
    """More codes and ledgers, and accounts whose sums are beyond 62 bits on both sides."""
    more = [Account(id=10**6 + number, ledger=1 + number % 3, code=1 + number % 5) for number in range(40)]
    way.one_by_one(more, START)
    way.one_by_one([move(10**6 + number, 10**6 + 3 * number, 10**6 + 3 * number + 15, 2**61 + number) for number in range(8)], START)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_of_the_moment_at_which_it_began_whatever_is_posted_meanwhile(seed: int) -> None:
    dice, way, now_ns = Random(seed), Way(), START
    opened(way)
    subledger.learn(way.books, 1)
    for number in range(12):
        before, made = counted(way.books), TrialBalance(way.books)
        while (stretch := made.take(dice.choice((1, 7, 30)))) is not None:
            made.add(stretch)
            now_ns += SECOND_NS // 2
            first = 1000 + 10**5 * number + 100 * stretch.keys.size + len(way.books.transfers.own)
            way.one_by_one(random_batch(dice, first * 100), now_ns)
            batch = [move(first * 100 + 90 + each, *dice.sample((1, 10, 11), 2), 7) for each in range(9)]
            if planned := plan(way.books, batch, now_ns):
                way.apply(planned)
            way.one_by_one([Account(id=2 * 10**6 + first, ledger=9, code=9)], now_ns)
        made.close()
        assert told(made) == before
        assert told(trialbalance.of(way.books)) == counted(way.books)
    assert way.books.tables.accounts.columns._held == ()


def test_sums_beyond_64_bits_are_exact() -> None:
    books = Books()
    core.create_accounts(books, [Account(id=number, ledger=1, code=1) for number in range(1, 41)], START)
    moves = [move(number, number, number + 20, 2**62 - number) for number in range(1, 21)]
    core.create_transfers(books, [*moves, move(50, 1, 21, 2**100)], START)
    subledger.learn(books, 1)
    total = trialbalance.of(books).by_ledger()[1]
    assert (total.accounts, total.debits_fen, total.credits_fen) == (40, 20 * 2**62 - 210 + 2**100, 20 * 2**62 - 210 + 2**100)
    assert total.is_even


def test_books_that_do_not_balance_are_told() -> None:
    way = Way()
    assert views.trial_balance(way.books)["balanced"]
    for name in ("debits_posted", "credits_pending"):
        row = way.books.tables.accounts.ids.find_one(10)
        way.books.tables.accounts.columns.put(name, row, 1)
        assert not views.trial_balance(way.books)["balanced"]
        way.books.tables.accounts.columns.put(name, row, 0)


def test_over_http_it_is_of_one_moment_and_its_accounts_come_by_page(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loans are paid out while it is worked out account by account: every answer balances."""
    monkeypatch.setattr("reference_apps.ledger.closing.trialbalance.ROWS_AT_ONCE", 1)

    async def story() -> None:
        desk = Desk(tmp_path / "ledger.db", lambda: None)
        await desk.open()
        app = web.build(desk)
        try:
            opened = [{"id": number, "ledger": 156, "code": 7} for number in range(1, 31)]
            await ask(app, "POST", "/v1/accounts", opened)
            paying = asyncio.gather(*(pay_out(desk, number) for number in range(40)))
            seen = [(await ask(app, "GET", "/v1/trial-balance?limit=7")).body for _ in range(6)]
            await paying
            seen.append((await ask(app, "GET", "/v1/trial-balance?limit=7")).body)
            assert all(each["balanced"] for each in seen), [each["controls"] for each in seen]
            assert len({each["loans"] for each in seen}) > 1, "loans came while it was worked out"
            assert seen[-1]["loans"] == 40
            ids, after = [], "0"
            while after is not None:
                page = (await ask(app, "GET", f"/v1/trial-balance?limit=7&after={after}")).body
                ids += [int(row["id"]) for row in page["accounts"]]
                after = page["next"]
            assert (len(ids), ids) == (42, sorted(ids))
            sevens = next(row for row in page["codes"] if row["code"] == 7)
            assert (sevens["ledger"], sevens["accounts"], sevens["debits_fen"]) == (156, 30, 0)
            assert (await ask(app, "GET", f"/v1/trial-balance?after={2**128}")).status == 422
            assert (await ask(app, "GET", "/v1/trial-balance?limit=1001")).status == 422
        finally:
            await desk.close()

    asyncio.run(story())
