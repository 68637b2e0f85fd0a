"""The order of the checks, read from a table: an event that is wrong in many ways is mended step by step, and shows what is checked next."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.algebra import core
from reference_apps.ledger.algebra.model import SECOND_NS, TRANSIENT, Account, Pending, Status, Transfer
from reference_apps.ledger.books import Books

TABLE = json.loads(Path(__file__).with_name("ledger_precedence.json").read_text())
NOW_NS = 5 * SECOND_NS


def world() -> Books:
    """Accounts with the sums that a row needs, put there directly; a transfer whose time has come, but whose expiry has not run."""
    books = Books()
    for row in TABLE["accounts"]:
        books.accounts.put(row["id"], Account(**row))
    for row in TABLE["transfers"]:
        books.transfers.put(row["id"], Transfer(**row))
    for pending_id, state in TABLE["states"].items():
        books.pendings.put(int(pending_id), Pending(state))
    for burnt in TABLE["burnt"]:
        books.burnt.put(burnt, True)
    return books


def cases() -> list[Any]:
    found = []
    for ladder in TABLE["ladders"]:
        event = dict(ladder["start"])
        for step, row in enumerate(ladder["rows"]):
            event |= row["fix"]
            name = f"{ladder['name']}-{step}-{row['status']}"
            company = [dict(event, id=0, timestamp=0) | row["company"]] if "company" in row else []
            found.append(pytest.param(ladder["of"], [*company, dict(event)], ladder.get("now_ns", NOW_NS), row["status"], id=name))
    return found


@pytest.mark.parametrize("of, batch, now_ns, status", cases())
def test_the_first_check_that_applies_is_the_status_and_a_refusal_changes_nothing(of: str, batch: list[dict[str, Any]], now_ns: int, status: str) -> None:
    books, event = world(), batch[-1]
    before = dict(books.accounts.own), dict(books.transfers.own), dict(books.pendings.own)
    if of == "account":
        *_, result = core.create_accounts(books, [Account(**each) for each in batch], now_ns)
    else:
        *_, result = core.create_transfers(books, [Transfer(**each) for each in batch], now_ns)
    assert result.status == status
    assert ((books.accounts.own, books.transfers.own, books.pendings.own) == before) == (status != "created")
    assert (event["id"] in books.burnt.own) == (result.status in TRANSIENT or status == "id_already_failed")


def test_every_status_has_its_row() -> None:
    """But those of chains, which are not about one event, and the name that no event gets."""
    shown = {row["status"] for ladder in TABLE["ladders"] for row in ladder["rows"]}
    assert {str(status) for status in Status} - shown == {"linked_event_chain_open", "linked_event_failed", "amount_must_not_be_zero"}
    assert len(TRANSIENT) == 7
