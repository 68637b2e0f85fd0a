"""Two-phase transfers over HTTP and in the journal: flags by name or number, what is refused at the door, and books that a restart brings back."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.algebra.model import SECOND_NS, U128, Account, Pending, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import views, web
from reference_apps.ledger.keeping import body, entry
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.entry import Entry

Ask = Callable[..., Awaitable[Any]]
Story = Callable[[Ask, Desk], Awaitable[None]]
OPEN = [{"id": number, "ledger": 156, "code": 7} for number in (8, 9)]
MOVE = {"debit_account_id": 8, "credit_account_id": 9, "amount": 80, "ledger": 156, "code": 1}


class Clock:
    """A clock that a test turns."""

    now_ns = 1_700_000_000 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(tmp_path: Path, ask: Ask, clock: Clock) -> Callable[[Story], None]:
    """Tell a story to the door of the books in tmp_path; the next story is told after a restart."""

    def tell(story: Story) -> None:
        async def run() -> None:
            desk = Desk(tmp_path / "ledger.db", lambda: None, clock)
            await desk.open()
            app = web.build(desk)
            try:
                await story(lambda method, path, body=None: ask(app, method, path, body), desk)
            finally:
                await desk.close()

        asyncio.run(run())

    return tell


async def post(ask: Ask, *events: dict[str, Any]) -> list[str]:
    answer = await ask("POST", "/v1/transfers", list(events))
    assert answer.status == 200, answer.body
    return [row["status"] for row in answer.body["results"]]


async def sums(ask: Ask, number: int) -> tuple[int, int, int, int]:
    found = (await ask("GET", f"/v1/accounts/{number}")).body
    return found["debits_pending"], found["debits_posted"], found["credits_pending"], found["credits_posted"]


def test_reserve_post_void_and_expire_over_http_and_after_a_restart(told: Callable[[Story], None], clock: Clock) -> None:
    async def before(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        pending = MOVE | {"flags": ["pending"]}
        assert await post(ask, pending | {"id": 1}, pending | {"id": 2, "flags": 2}, pending | {"id": 3, "timeout": 5}) == ["created"] * 3
        assert await sums(ask, 8) == (240, 0, 0, 0)
        assert await post(ask, {"id": 4, "pending_id": 1, "amount": str(U128), "flags": ["post_pending_transfer"]}) == ["created"]
        assert await post(ask, {"id": 5, "pending_id": 2, "amount": 0, "flags": ["void_pending_transfer", "linked"]}) == ["linked_event_chain_open"]
        assert await post(ask, {"id": 5, "pending_id": 2, "amount": 0, "flags": ["void_pending_transfer"]}) == ["created"]
        closing = {"id": 6, "amount": 0, "flags": ["pending", "closing_credit"], "timeout": 5}
        assert await post(ask, MOVE | closing, MOVE | {"id": 7}) == ["created", "credit_account_already_closed"]
        shown = {row["id"]: row for row in (await ask("GET", "/v1/transfers")).body["items"]}
        assert [shown[str(number)]["state"] for number in range(1, 7)] == ["posted", "voided", "pending", None, None, "pending"]
        rows = {row["id"]: row for row in (await ask("GET", "/v1/trial-balance")).body["accounts"]}
        assert (rows["8"]["reserved_debits_fen"], rows["9"]["reserved_credits_fen"], rows["9"]["credits_fen"]) == (80, 80, 80)
        account = (await ask("GET", "/v1/accounts/9")).body
        assert (account["closed"], account["closed_by"]) == (True, "6")

    async def after(ask: Ask, desk: Desk) -> None:
        assert await sums(ask, 8) == (80, 80, 0, 0)
        assert await post(ask, MOVE | {"id": 7}) == ["id_already_failed"]
        clock.now_ns += 6 * SECOND_NS
        assert await post(ask, {"id": 10, "pending_id": 3, "amount": 0, "flags": ["void_pending_transfer"]}) == ["pending_transfer_expired"]
        assert await post(ask, MOVE | {"id": 11, "amount": 1}) == ["created"], "the account is open again"

    async def in_the_end(ask: Ask, desk: Desk) -> None:
        clock.now_ns -= 60 * SECOND_NS
        assert await sums(ask, 8) == (0, 81, 0, 0)
        assert await sums(ask, 9) == (0, 0, 0, 81)
        assert desk.books.pendings.own[3] is Pending.EXPIRED
        assert (await ask("GET", "/v1/trial-balance")).body["balanced"] is True
        assert (await ask("GET", "/v1/journal/verify")).body["verified"] is True

    for story in (before, after, in_the_end):
        told(story)


def test_idle_books_release_what_expires(told: Callable[[Story], None], clock: Clock) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        assert await post(ask, MOVE | {"id": 1, "flags": 2, "timeout": 3600}) == ["created"]
        clock.now_ns += 3601 * SECOND_NS
        async with asyncio.timeout(10):
            while (await sums(ask, 8))[0]:
                await asyncio.sleep(0.02)

    told(story)
    told(lambda ask, desk: _state(desk, Pending.EXPIRED))


async def _state(desk: Desk, state: Pending) -> None:
    assert desk.books.pendings.own == {1: state}


def test_the_description_of_the_api_names_the_flags(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        described = (await ask("GET", "/openapi.json")).body["components"]["schemas"]["TransferBody"]
        assert "void_pending_transfer" in described["properties"]["flags"]["anyOf"][1]["items"]["enum"]
        assert described["required"] == ["id", "amount"]

    told(story)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a flag that is none": (MOVE | {"flags": ["pending", "reserve"]}, "0.flags: Value error, 'reserve' is not a flag; the flags are: linked, pending"),
    "a flag that is no text": (MOVE | {"flags": [2]}, "0.flags: Value error, 2 is not a flag"),
    "a timestamp beyond 64 bits": (MOVE | {"flags": ["imported"], "timestamp": 2**64}, "0.timestamp"),
    "flags as one text": (MOVE | {"flags": "pending"}, "0.flags"),
    "a movement without accounts": ({"amount": 5, "flags": ["pending"]}, "debit_account_id, credit_account_id, ledger, code: required; only a post or void"),
    "a movement without a code": ({name: value for name, value in MOVE.items() if name != "code"}, "code: required; only a post or void"),
    "a post without an amount": ({"flags": 4, "pending_id": 3}, "0.amount: Field required"),
    "a negative timeout": (MOVE | {"flags": 2, "timeout": -1}, "0.timeout"),
    "a timeout beyond 32 bits": (MOVE | {"flags": 2, "timeout": 2**32}, "0.timeout"),
    "a reservation on a control account": (MOVE | {"flags": 2, "credit_account_id": 1101}, "account 1101 (principal) is a control account"),
}


@pytest.mark.parametrize("event, named", BAD.values(), ids=BAD)
def test_bad_input_is_named_and_changes_nothing(told: Callable[[Story], None], event: dict[str, Any], named: str) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        before = views.trial_balance(desk.books)
        refused = await ask("POST", "/v1/transfers", [{"id": 1, **event}])
        assert (refused.status, named in refused.body["detail"]) == (422, True), refused.body
        assert views.trial_balance(desk.books) == before

    told(story)


FIRST_VERSION = (
    b'[{"accounts":[{"code":7,"id":8,"ledger":156,"timestamp":5},{"code":7,"flags":2,"id":9,"ledger":156,"timestamp":6}]},'
    b'{"burnt":[12],"transfers":[{"amount":80,"code":1,"credit_account_id":9,"debit_account_id":8,"flags":1,"id":1,"ledger":156,"timestamp":7},'
    b'{"amount":5,"code":1,"credit_account_id":8,"debit_account_id":9,"id":2,"ledger":156,"timestamp":8}]}]'
)


def test_a_journal_of_the_first_version_reads_as_before() -> None:
    books = Books()
    for one in body.read(FIRST_VERSION):
        entry.fold(books, one)
    assert (books.accounts.own[8].debits_posted, books.accounts.own[9].credits_posted, books.accounts.own[8].credits_posted) == (80, 80, 5)
    assert (books.burnt.own, books.last_ns, books.pendings.own) == ({12: True}, 8, {})


def test_a_row_in_json_of_the_second_version_is_read_and_one_of_a_third_is_refused() -> None:
    row = {"version": 2, "id": 1, "debit_account_id": 8, "credit_account_id": 9, "amount": 80, "ledger": 156, "code": 1, "flags": 2}
    reserved = Transfer(id=1, debit_account_id=8, credit_account_id=9, amount=80, ledger=156, code=1, flags=2)
    closed = Account(id=8, ledger=156, code=1, flags=32)
    accounts = [{"version": 2, "id": 8, "ledger": 156, "code": 1, "flags": 32}]
    found = entry.from_json({"transfers": [row], "accounts": accounts, "expired": [1]})
    assert found == Entry(transfers=(reserved,), accounts=(closed,), expired=(1,))
    with pytest.raises(ValueError, match="row 1 of the journal is of version 3"):
        entry.from_json({"transfers": [row | {"version": 3}]})


def test_the_journal_names_an_expiry_once(told: Callable[[Story], None], clock: Clock, tmp_path: Path) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        await post(ask, MOVE | {"id": 1, "flags": 2, "timeout": 1})
        clock.now_ns += 2 * SECOND_NS
        await asyncio.gather(*(post(ask, MOVE | {"id": number, "debit_account_id": 77}) for number in range(2, 6)))

    told(story)
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        bodies = [body.read(found) for (found,) in database.execute("SELECT body FROM journal")]
    assert [one.expired for found in bodies for one in found if one.expired] == [(1,)]
