"""The routes that take up to 8,000 accounts or transfers: a body in order goes straight to the desk, any other to the models that name what is wrong."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import Body, FastAPI, Response

from ctl.kit.answer import Answer as Said
from ctl.kit.problem import Problem
from ctl.kit.straight import Handler, Headers, header
from reference_apps.ledger.algebra import core, layout
from reference_apps.ledger.algebra.layout import ACCOUNT, TRANSFER, Batch, Records
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import batches, loansown
from reference_apps.ledger.door.batches import MOST_EVENTS, Events
from reference_apps.ledger.door.bodies import AccountBody, TransferBody
from reference_apps.ledger.keeping import bulkwork
from reference_apps.ledger.keeping.bulkwork import Bulk, Outcome
from reference_apps.ledger.keeping.desk import Answer, Command, Desk

Accounts = Annotated[list[AccountBody], Body(min_length=1, max_length=MOST_EVENTS)]
Transfers = Annotated[list[TransferBody], Body(min_length=1, max_length=MOST_EVENTS)]
JSON, RECORDS = b"application/json", b"application/octet-stream"
ROUTES: tuple[tuple[str, Any, np.dtype[np.void]], ...] = (("/v1/accounts", batches.ACCOUNTS, ACCOUNT), ("/v1/transfers", batches.TRANSFERS, TRANSFER))


def straight(desk: Desk) -> dict[tuple[str, str], Handler]:
    """Return the two routes past the framework: what is in order goes straight to the desk."""
    return {("POST", path): _straight(desk, decoder, dtype) for path, decoder, dtype in ROUTES}


def add_batches(app: FastAPI, desk: Desk) -> None:
    """Add the two routes by models."""

    @app.post("/v1/accounts", response_class=Response)
    async def create_accounts(events: Accounts) -> Response:
        return Response(await _book(desk, tuple(event.to_model() for event in events)), media_type=JSON.decode())

    @app.post("/v1/transfers", response_class=Response)
    async def create_transfers(events: Transfers) -> Response:
        return Response(await _book(desk, tuple(event.to_model() for event in events)), media_type=JSON.decode())


def _straight(desk: Desk, decoder: Any, dtype: np.dtype[np.void]) -> Handler:
    async def take(headers: Headers, content: bytes) -> Said | None:
        kind = header(headers, b"content-type").partition(b";")[0].strip().lower() or JSON
        if kind == RECORDS:
            return Said(200, await _book(desk, _records(content, dtype)))
        events = batches.read(content, decoder) if kind == JSON else None
        return None if events is None else Said(200, await _book(desk, events))

    return take


def _records(raw: bytes, dtype: np.dtype[np.void]) -> Batch:
    try:
        return batches.records(raw, dtype)
    except ValueError as error:
        raise Problem(422, "bad_input", f"body: {error}", remedy="cut it into batches of whole records; nothing was changed") from error


async def _book(desk: Desk, events: Events) -> bytes:
    outcome: Outcome
    if len(events) >= bulkwork.AT_LEAST:
        batch = layout.batch_of(events, ACCOUNT if isinstance(events[0], Account) else TRANSFER) if isinstance(events, tuple) else events
        loansown.refuse_many(desk.books, batch)
        outcome = await desk.submit_bulk(Bulk(batch))
    else:
        few = events if isinstance(events, tuple) else _values(events)
        loansown.refuse_few(desk.books, few)
        _, body = await desk.submit(_command(few))
        outcome = body["results"]
    return batches.answer(outcome)


def _values(events: Batch) -> tuple[Account | Transfer, ...]:
    records: Records[Any] = Records(events)
    return tuple(records)


def _command(events: Sequence[Any]) -> Command:
    """Return a few events as a command."""
    create: Callable[[Books, Any, int], Sequence[Any]] = core.create_accounts if isinstance(events[0], Account) else core.create_transfers

    def book(books: Books, now_ns: int) -> Answer:
        return 200, {"results": create(books, events, now_ns)}

    return book
