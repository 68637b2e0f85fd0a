"""Imported events: history enters under its own timestamps, before everything that follows, by every door and through every journal."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.algebra import core, layout
from reference_apps.ledger.algebra.model import SECOND_NS, U128, Account, Pending, Status, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import web
from reference_apps.ledger.keeping import body, entry, journals
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journals import Place
from reference_apps.ledger.keeping.pgjournal import Postgres
from tests.apps import postgres
from tests.apps.ledger_fast import LIMITED, START, Way, move, state

Ask = Callable[..., Awaitable[Any]]
NOW = 1_700_000_000 * SECOND_NS
DAY = 86_400 * SECOND_NS
IMPORTED, ACCOUNT_IMPORTED = 256, 16
OPEN = [{"id": 8 + number, "ledger": 156, "code": 7, "flags": ACCOUNT_IMPORTED, "timestamp": str(NOW - 900 * DAY + number)} for number in (0, 1)]


def moved(number: int, at_ns: int, **fields: Any) -> dict[str, Any]:
    event = {"id": number, "debit_account_id": 8, "credit_account_id": 9, "amount": 5, "ledger": 156, "code": 1}
    return event | {"flags": ["imported"], "timestamp": at_ns} | fields


def judged(books: Books, events: list[Transfer], at_ns: int = START) -> list[str]:
    return [str(result.status) for result in core.create_transfers(books, events, at_ns)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return tmp_path / "ledger.db"
    pytest.importorskip("psycopg")
    return Postgres(request.getfixturevalue("cluster").new_database())


def test_history_is_imported_over_http_and_a_restart_knows_it(place: Place, tmp_path: Path, ask: Ask) -> None:
    """One by one, by the hundred as JSON, as records; the answers are the events' own timestamps."""

    async def statuses(app: Any, path: str, events: Any, headers: Any = None) -> list[tuple[str, int]]:
        answer = await ask(app, "POST", path, events, headers)
        assert answer.status == 200, answer.body
        return [(row["status"], row["timestamp"]) for row in answer.body["results"]]

    async def imports(app: Any, desk: Desk) -> None:
        opened = await statuses(app, "/v1/accounts", OPEN)
        assert opened == [("created", NOW - 900 * DAY), ("created", NOW - 900 * DAY + 1)]
        assert await statuses(app, "/v1/transfers", [moved(1, NOW - 800 * DAY)]) == [("created", NOW - 800 * DAY)]
        many = [moved(1000 + number, NOW - 700 * DAY + number) for number in range(300)]
        assert await statuses(app, "/v1/transfers", many) == [("created", each["timestamp"]) for each in many]
        records = [Transfer(**moved(2000 + number, NOW - 600 * DAY + number) | {"flags": IMPORTED}) for number in range(300)]
        raw, kind = layout.transfers_batch(records).tobytes(), {"content-type": "application/octet-stream"}
        assert await statuses(app, "/v1/transfers", raw, kind) == [("created", each.timestamp) for each in records]
        assert await statuses(app, "/v1/transfers", raw, kind) == [("exists", each.timestamp) for each in records]
        mixed = [moved(3000, NOW - DAY), moved(3001, 0, flags=0), moved(3002, NOW - 601 * DAY), moved(3003, NOW + 3 * DAY)]
        refused = ["created", "imported_event_expected", "imported_event_timestamp_must_not_regress", "imported_event_timestamp_must_not_advance"]
        assert [status for status, _ in await statuses(app, "/v1/transfers", mixed)] == refused
        assert [status for status, _ in await statuses(app, "/v1/transfers", [moved(4000, 0, flags=0)])] == ["created"]
        late = [status for status, _ in await statuses(app, "/v1/transfers", [moved(4001, NOW - 1)])]
        assert late == ["imported_event_timestamp_must_not_regress"], "work of today is later than any history"
        described = (await ask(app, "GET", "/openapi.json")).body["components"]["schemas"]
        assert all(described[name]["properties"]["timestamp"]["default"] == 0 for name in ("AccountBody", "TransferBody"))
        assert "imported" in described["TransferBody"]["properties"]["flags"]["anyOf"][1]["items"]["enum"]

    async def asks(app: Any, desk: Desk) -> None:
        for at_ns, debits in ((NOW - 800 * DAY - 1, 0), (NOW - 800 * DAY, 5), (NOW - 700 * DAY + 9, 55), (NOW - 500 * DAY, 5 * 601), (NOW - DAY, 5 * 602)):
            assert (await ask(app, "GET", f"/v1/accounts/8?as_of={at_ns}")).body["debits_posted"] == debits
        assert (await ask(app, "GET", f"/v1/accounts/8?as_of={NOW - 901 * DAY}")).status == 404
        found = (await ask(app, "GET", f"/v1/transfers?since={NOW - 800 * DAY}&until={NOW - 700 * DAY + 2}")).body["items"]
        assert [(each["id"], each["flags"]) for each in found] == [("1", IMPORTED), ("1000", IMPORTED), ("1001", IMPORTED)]
        page = (await ask(app, "GET", "/v1/accounts/8/statement?from=2021-01-01&to=2023-12-31&limit=10000")).body
        assert (page["turnover"]["postings"], page["lines"][0]["transfer_id"], page["lines"][-1]["balance_fen"]) == (603, "1", 5 * 603)
        assert state(desk.books) == state(journals.books(place)[0])

    async def run(story: Callable[[Any, Desk], Awaitable[None]]) -> None:
        desk = Desk(place, lambda: None, lambda: NOW, snapshots=tmp_path / "snapshots")
        await desk.open()
        try:
            await story(web.build(desk), desk)
        finally:
            await desk.close()

    for story in (imports, asks):
        asyncio.run(run(story))


def test_an_account_may_not_be_opened_at_the_moment_of_a_transfer_nor_before_another_account() -> None:
    books = Books()
    core.create_accounts(books, [Account(id=number, ledger=1, code=1, flags=ACCOUNT_IMPORTED, timestamp=number) for number in (1, 2)], START)
    assert judged(books, [move(9, 1, 2, 5, flags=IMPORTED, timestamp=50)]) == ["created"]
    wanted = ((2, "imported_event_timestamp_must_not_regress"), (50, "imported_event_timestamp_must_not_regress"), (51, "created"))
    for stamp, status in wanted:
        (result,) = core.create_accounts(books, [Account(id=3, ledger=1, code=1, flags=ACCOUNT_IMPORTED, timestamp=stamp)], START)
        assert (str(result.status), result.timestamp) == (status, stamp if status == "created" else result.timestamp)
    assert judged(books, [move(10, 1, 3, 5, flags=IMPORTED, timestamp=51)]) == ["imported_event_timestamp_must_not_regress"]
    assert judged(books, [move(10, 1, 3, 5, flags=IMPORTED, timestamp=52)]) == ["created"]


def test_within_one_draft_what_was_entered_counts_and_what_was_undone_does_not() -> None:
    books = Books()
    core.create_accounts(books, [Account(id=number, ledger=1, code=1, flags=ACCOUNT_IMPORTED, timestamp=number) for number in (1, 2)], START)
    draft = books.draft()
    chain = [move(1, 1, 2, 5, flags=IMPORTED | 1, timestamp=100), move(2, 1, 77, 5, flags=IMPORTED, timestamp=101)]
    assert judged(draft, chain) == ["linked_event_failed", "credit_account_not_found"]
    core.create_accounts(draft, [Account(id=3, ledger=1, code=1, flags=ACCOUNT_IMPORTED, timestamp=90)], START)
    corrected = [replace(chain[0], timestamp=80), replace(chain[1], credit_account_id=2, id=3)]
    assert judged(draft, corrected) == ["created", "created"], "the chain that failed has left no timestamp behind"
    again = [move(number, 1, 2, 5, flags=IMPORTED, timestamp=stamp) for number, stamp in ((4, 101), (5, 102))]
    assert judged(draft, again) == ["imported_event_timestamp_must_not_regress", "created"]
    (result,) = core.create_accounts(draft, [Account(id=4, ledger=1, code=1, flags=ACCOUNT_IMPORTED, timestamp=102)], START)
    assert result.status is Status.IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS
    assert (books.moved.newest, draft.moved.newest) == (0, 102)
    draft.keep()
    assert (books.moved.newest, books.opened.newest, books.moved.has(80), books.opened.has(90), books.opened.has(91)) == (102, 90, True, True, False)


def test_nothing_is_imported_before_an_expiry_that_was_noticed() -> None:
    """What had been reserved then was not free yet: an import in between would pass a limit in hindsight."""
    way = Way()
    expires = way.books.transfers.own[903].expires_ns
    way.one_by_one([move(1, 77, 10, 1)], expires + SECOND_NS)
    assert way.books.pendings.own[903] is Pending.EXPIRED
    for number, (stamp, status) in enumerate(((expires - 1, Status.IMPORTED_EVENT_TIMESTAMP_MUST_NOT_REGRESS), (expires, Status.CREATED)), 2):
        (result,) = way.one_by_one([move(number, 10, 11, 1, flags=IMPORTED, timestamp=stamp)], expires + SECOND_NS)
        assert result.status is status
    assert way.replayed().moved.newest == way.books.moved.newest == expires


def test_a_reservation_that_runs_out_within_the_batch_is_gone_at_the_event_s_own_time() -> None:
    way = Way()
    expires = way.books.transfers.own[903].expires_ns
    post = replace(move(1, 0, 0, U128), ledger=0, code=0, pending_id=903, flags=4 | IMPORTED, timestamp=expires)
    company = [move(number, 10, 11, 1, flags=IMPORTED, timestamp=expires + number) for number in range(2, 10)]
    results = way.one_by_one([post, *company], expires + 20)
    assert [str(each.status) for each in results] == ["pending_transfer_expired"] + ["created"] * 8


def test_a_pending_transfer_is_imported_and_ends_in_history_or_today() -> None:
    way = Way()
    held = [move(number, 10, 11, 9, flags=2 | IMPORTED, timestamp=START + number) for number in (20, 21)]
    post = replace(move(22, 0, 0, 4), ledger=0, code=0, pending_id=20, flags=4 | IMPORTED, timestamp=START + 22)
    void = replace(move(23, 0, 0, 0), ledger=0, code=0, pending_id=21, flags=8)
    for batch in ([*held, post], [void]):
        assert {str(each.status) for each in way.one_by_one(batch, START + SECOND_NS)} == {"created"}
    account = way.books.accounts.own[10]
    assert (account.debits_pending, account.debits_posted) == (0, 4)
    assert way.state() == state(way.replayed())


def test_a_limit_holds_for_history_too_and_burns_the_id() -> None:
    way = Way()
    results = way.one_by_one([move(1, LIMITED, 10, 10**6, flags=IMPORTED, timestamp=START + 50)], START + SECOND_NS)
    assert [str(each.status) for each in results] == ["exceeds_credits"]
    assert judged(way.books, [move(1, 10, 11, 1, flags=IMPORTED, timestamp=START + 50)], START + SECOND_NS) == ["id_already_failed"]


def test_a_journal_with_imported_events_is_of_the_version_that_was(tmp_path: Path) -> None:
    """A record of them is what it always was: no older journal is read differently, and replay gives the timestamps back."""
    way = Way()
    way.one_by_one([move(number, 10, 11, 1, flags=IMPORTED, timestamp=START + number) for number in range(20, 60)], START + SECOND_NS)
    written = way.journal[-1].body
    assert written[:6] == body.MAGIC + body.VERSION.to_bytes(2, "little")
    books = way.replayed()
    assert [each.timestamp for each in books.transfers.own.values()][-40:] == [START + number for number in range(20, 60)]
    old = json.dumps([{"accounts": [{"id": 8, "ledger": 1, "code": 1, "timestamp": 5}], "transfers": []}]).encode()
    before = Books()
    for one in body.read(old):
        entry.fold(before, one)
    assert (before.opened.newest, before.opened.has(5), before.moved.newest) == (5, True, 0)
