"""Batches of thousands over HTTP and through the desk: read as the models read them, durable before they are answered, gone without a trace when not."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import layout
from reference_apps.ledger.algebra.layout import TRANSFER
from reference_apps.ledger.door import batches, views, web
from reference_apps.ledger.door.bodies import AccountBody, TransferBody
from reference_apps.ledger.keeping import bulkwork, journals
from reference_apps.ledger.keeping.bulkwork import Bulk, Created
from reference_apps.ledger.keeping.desk import Desk

Ask = Callable[..., Awaitable[Any]]
Story = Callable[[Ask, Desk], Awaitable[None]]
MOVE = {"debit_account_id": 8, "credit_account_id": 9, "amount": 3, "ledger": 156, "code": 1}
OPEN = [{"id": number, "ledger": 156, "code": 7} for number in (8, 9)]
MANY = 8_000

scalars = st.one_of(
    st.sampled_from((0, 1, -1, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**128 - 1, 2**128, 10**60)),
    st.sampled_from(("0", "7", str(2**128 - 1), str(2**128), "", "-1", " 7", "７", "1e3", "0" * 38 + "1", "0" * 40, "x")),
    st.sampled_from((None, True, 1.0, 1.5, [], {}, ["pending"], ["post_pending_transfer", "linked"], ["nothing"], [2], ["linked", "linked"])),
)
GOOD = {"id": 1, "debit_account_id": "8", "credit_account_id": 9, "amount": 3, "ledger": 156, "code": 1}
NAMES = (*GOOD, "flags", "pending_id", "timeout", "user_data_128", "user_data_64", "user_data_32", "timestamp", "note")
changes = st.dictionaries(st.sampled_from(NAMES), scalars, max_size=2)
left_out = st.sets(st.sampled_from(NAMES), max_size=2)


def as_sent(good: dict[str, Any], changed: dict[str, Any], without: set[str]) -> dict[str, Any]:
    return {name: value for name, value in (good | changed).items() if name not in without}


@settings(deadline=None, max_examples=400)
@given(changes, left_out, st.sampled_from((0, 4, 8, ["void_pending_transfer"])))
def test_a_transfer_is_read_as_the_models_read_it_or_left_to_them(changed: dict[str, Any], without: set[str], flags: Any) -> None:
    rows = [GOOD, as_sent(GOOD | {"flags": flags}, changed, without)]
    _same(rows, batches.TRANSFERS, TypeAdapter(list[TransferBody]), layout.transfers_batch)


@settings(deadline=None, max_examples=200)
@given(changes, left_out)
def test_an_account_is_read_as_the_models_read_it_or_left_to_them(changed: dict[str, Any], without: set[str]) -> None:
    good = {"id": 1, "ledger": 156, "code": 1}
    _same([good, as_sent(good, changed, without)], batches.ACCOUNTS, TypeAdapter(list[AccountBody]), layout.accounts_batch)


def _same(rows: list[dict[str, Any]], decoder: Any, models: TypeAdapter[Any], to_batch: Callable[..., Any]) -> None:
    few, many = batches.read(json.dumps(rows).encode(), decoder), batches.read(json.dumps(rows * bulkwork.AT_LEAST).encode(), decoder)
    try:
        by_models = tuple(each.to_model() for each in models.validate_python(rows))
    except ValidationError:
        by_models = None
    assert few == by_models
    assert (None if many is None else many.tobytes()) == (by_models and to_batch(by_models * bulkwork.AT_LEAST).tobytes())


@pytest.mark.parametrize("raw", [b"", b"[", b"{}", b"[]", b"[1]", b"[null]", b"\xff", b"[{}]", json.dumps([GOOD] * (MANY + 1)).encode()])
def test_a_body_that_is_no_batch_is_left_to_the_models(raw: bytes) -> None:
    assert batches.read(raw, batches.TRANSFERS) is None


def test_both_kinds_of_answer_read_alike() -> None:
    from reference_apps.ledger.algebra.model import Result, Status

    several = tuple(Result(Status.CREATED, 5 + number) for number in range(3))
    assert json.loads(batches.answer(Created(5, 3))) == json.loads(batches.answer(several)) == views.results(several)
    assert b" " not in batches.answer(Created(5, 3))


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


def moves(first: int, count: int = MANY, **fields: Any) -> list[dict[str, Any]]:
    return [MOVE | {"id": first + number} | fields for number in range(count)]


def statuses(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return sorted({row["status"] for row in answer.body["results"]})


def test_a_batch_of_eight_thousand_and_the_same_again(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        assert statuses(await ask("POST", "/v1/accounts", OPEN)) == ["created"]
        before = journals.verify(desk.place)[0]
        first = await ask("POST", "/v1/transfers", moves(1))
        assert (statuses(first), len(first.body["results"])) == (["created"], MANY)
        assert journals.verify(desk.place)[0] == before + 1, "one record"
        stamps = [row["timestamp"] for row in first.body["results"]]
        assert stamps == list(range(stamps[0], stamps[0] + MANY))
        again = await ask("POST", "/v1/transfers", moves(1))
        assert (statuses(again), [row["timestamp"] for row in again.body["results"]]) == (["exists"], stamps)
        mixed = await ask("POST", "/v1/transfers", [*moves(MANY + 1, 200), *moves(1, 1, amount=4)])
        assert statuses(mixed) == ["created", "exists_with_different_amount"]
        assert (await ask("GET", "/v1/accounts/8")).body["debits_posted"] == 3 * (MANY + 200)

    async def after(ask: Ask, desk: Desk) -> None:
        account = (await ask("GET", "/v1/accounts/9")).body
        assert (account["credits_posted"], len(desk.books.tables.transfers)) == (3 * (MANY + 200), MANY + 200)
        assert statuses(await ask("POST", "/v1/transfers", moves(1, 300))) == ["exists"]

    told(story)
    told(after)


def test_records_as_they_are(told: Callable[[Story], None]) -> None:
    kind = {"content-type": "application/octet-stream"}

    async def story(ask: Ask, desk: Desk) -> None:
        accounts, transfers = np.zeros(2, layout.ACCOUNT), np.zeros(500, TRANSFER)
        for name, value in (("id", [8, 9]), ("ledger", 156), ("code", 7)):
            accounts[name] = value
        for name, value in (MOVE | {"id": range(1, 501)}).items():
            transfers[name] = value
        assert statuses(await ask("POST", "/v1/accounts", accounts.tobytes(), kind)) == ["created"]
        assert statuses(await ask("POST", "/v1/transfers", transfers.tobytes(), kind)) == ["created"]
        assert statuses(await ask("POST", "/v1/transfers", moves(1, 500))) == ["exists"], "and the same in JSON"
        for raw in (b"", transfers.tobytes()[:-1], b"\0" * 128 * (MANY + 1)):
            refused = await ask("POST", "/v1/transfers", raw, kind)
            assert (refused.status, "1 to 8000 records of 128 bytes" in refused.body["detail"]) == (422, True)

    told(story)


BAD: dict[str, tuple[Any, int, str]] = {
    "one too many": (moves(1, MANY + 1), 422, "at most 8000 items"),
    "a negative amount deep inside": ([*moves(1, 700), *moves(701, 1, amount=-5)], 422, "700.amount"),
    "a huge amount": ([*moves(1, 700), *moves(701, 1, amount=2**128)], 422, "700.amount"),
    "a text": ([*moves(1, 700), *moves(701, 1, code="1")], 422, "700.code"),
    "an unknown field": ([*moves(1, 700), *moves(701, 1, memo="x")], 422, "700.memo: Extra inputs are not permitted"),
    "a control account": ([*moves(1, 700), *moves(701, 1, credit_account_id=1101)], 422, "700: account 1101 (principal) is a control account"),
    "a missing field": ([*moves(1, 700), {"id": 701, "amount": 5}], 422, "700: Value error, debit_account_id, credit_account_id, ledger, code: required"),
    "no JSON": (b"[{", 422, "body: JSON decode error"),
    "a body without end": (b"[" + b" " * batches.MOST_BYTES, 413, f"more than {batches.MOST_BYTES} bytes"),
}


@pytest.mark.parametrize("body, status, named", BAD.values(), ids=BAD)
def test_bad_input_is_named_and_changes_nothing(told: Callable[[Story], None], body: Any, status: int, named: str) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        before = journals.verify(desk.place)
        refused = await ask("POST", "/v1/transfers", body)
        assert (refused.status, named in refused.body["detail"], bool(refused.body["remedy"])) == (status, True, True), refused.body["detail"][:300]
        assert refused.headers["content-type"] == "application/problem+json"
        assert journals.verify(desk.place) == before

    told(story)


def test_the_api_still_describes_its_bodies(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        described = (await ask("GET", "/openapi.json")).body
        schema = described["paths"]["/v1/transfers"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert (schema["maxItems"], schema["items"]) == (MANY, {"$ref": "#/components/schemas/TransferBody"})

    told(story)


def a_batch(first: int, count: int = 500, **fields: int) -> Bulk:
    events = np.zeros(count, TRANSFER)
    for name, value in (MOVE | fields).items():
        events[name] = value
    events["id"] = np.arange(first, first + count)
    return Bulk(events)


def test_batches_that_overlap_in_time_see_one_another(told: Callable[[Story], None]) -> None:
    """Sent at once: the second repeats half of the first, small requests come between, and accounts are used while they are being opened."""

    async def story(ask: Ask, desk: Desk) -> None:
        opening = np.zeros(300, layout.ACCOUNT)
        opening["id"], opening["ledger"], opening["code"] = np.arange(8, 308), 156, 7
        outcomes = await asyncio.gather(
            desk.submit_bulk(Bulk(opening)),
            desk.submit_bulk(a_batch(1)),
            desk.submit_bulk(a_batch(251)),
            ask("POST", "/v1/transfers", moves(1, 3) + moves(2000, 3)),
            desk.submit_bulk(a_batch(1999)),
            desk.submit_bulk(a_batch(5000)),
        )
        opened, first, second, few, third, fourth = outcomes
        assert isinstance(opened, Created)
        assert isinstance(first, Created)
        assert isinstance(fourth, Created)
        assert [str(each.status) for each in second] == ["exists"] * 250 + ["created"] * 250
        assert [row["status"] for row in few.body["results"]] == ["exists"] * 3 + ["created"] * 3
        assert [str(each.status) for each in third] == ["created"] + ["exists"] * 3 + ["created"] * 496
        assert len(desk.books.tables.transfers) == 750 + 3 + 497 + 500
        stamps = [each.timestamp for each in desk.books.tables.transfers.values()]
        assert stamps == sorted(set(stamps))

    async def after(ask: Ask, desk: Desk) -> None:
        assert (await ask("GET", "/v1/accounts/8")).body["debits_posted"] == 3 * 1750

    told(story)
    told(after)


def test_a_batch_that_the_disk_does_not_take_leaves_no_trace(told: Callable[[Story], None], tmp_path: Path) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        assert isinstance(await desk.submit_bulk(a_batch(1)), Created)
        with sqlite3.connect(tmp_path / "ledger.db") as database:
            database.execute("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT raise(ABORT, 'database or disk is full'); END")
        failed = await asyncio.gather(*(desk.submit_bulk(a_batch(1000 * number)) for number in range(1, 5)), return_exceptions=True)
        assert [isinstance(each, Problem) and (each.status, each.code) for each in failed] == [(503, "not_durable")] * 4
        assert len(desk.books.tables.transfers) == 500
        with sqlite3.connect(tmp_path / "ledger.db") as database:
            database.execute("DROP TRIGGER full")
        assert isinstance(await desk.submit_bulk(a_batch(1000)), Created)
        assert len(desk.books.tables.transfers) == 1000

    told(story)


def test_nobody_reads_what_is_not_durable_yet(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        seen: list[tuple[int, int]] = []
        sent = asyncio.gather(*(desk.submit_bulk(a_batch(1 + 500 * number)) for number in range(6)))
        while not sent.done():
            kept, durable = len(desk.books.tables.transfers), journals.verify(desk.place)[0]
            seen.append((kept, durable))
            await asyncio.sleep(0)
        assert all(kept <= 500 * (durable - 2) for kept, durable in seen), "two records opened the accounts"
        await sent

    told(story)


def test_a_batch_of_posts_and_voids_is_taken_event_by_event(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        await ask("POST", "/v1/accounts", OPEN)
        assert statuses(await ask("POST", "/v1/transfers", moves(1, 300, flags=["pending"]))) == ["created"]
        ends = [{"id": 1000 + number, "pending_id": number, "amount": 0, "flags": 8 if number % 2 else 4} for number in range(1, 301)]
        assert statuses(await ask("POST", "/v1/transfers", ends)) == ["created"]
        account = (await ask("GET", "/v1/accounts/8")).body
        assert (account["debits_pending"], account["debits_posted"]) == (0, 0)

    told(story)


def test_the_threshold_of_a_batch_is_below_what_is_sent_at_once() -> None:
    assert 1 < bulkwork.AT_LEAST < MANY == batches.MOST_EVENTS
    largest = json.dumps([{name: str(2**128 - 1) for name in NAMES[:-2]}] * MANY).encode()
    assert len(largest) < batches.MOST_BYTES
    assert msgspec.json.decode(largest)
