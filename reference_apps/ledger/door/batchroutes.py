"""The routes that take up to 8,000 accounts or transfers: a body in order goes straight to the desk, any other to the models that name what is wrong."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import Body, FastAPI, Response
from fastapi.routing import APIRoute
from starlette.requests import Request

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra import core, layout
from reference_apps.ledger.algebra.layout import ACCOUNT, TRANSFER, Batch, Records
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import batches
from reference_apps.ledger.door.batches import MOST_BYTES, MOST_EVENTS
from reference_apps.ledger.door.bodies import AccountBody, TransferBody
from reference_apps.ledger.keeping import bulkwork
from reference_apps.ledger.keeping.bulkwork import Bulk, Outcome
from reference_apps.ledger.keeping.desk import Answer, Command, Desk
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control

Accounts = Annotated[list[AccountBody], Body(min_length=1, max_length=MOST_EVENTS)]
Transfers = Annotated[list[TransferBody], Body(min_length=1, max_length=MOST_EVENTS)]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]
JSON, RECORDS = "application/json", "application/octet-stream"
CONTROL = np.array(sorted(int(control) for control in Control), np.uint64)


def add_batches(app: FastAPI, desk: Desk) -> None:
    """Add the two routes."""

    async def create_accounts(events: Accounts) -> Response:
        return await _book(desk, layout.accounts_batch(event.to_model() for event in events))

    async def create_transfers(events: Transfers) -> Response:
        return await _book(desk, layout.transfers_batch(event.to_model() for event in events))

    routes = (("/v1/accounts", create_accounts, batches.ACCOUNTS, ACCOUNT), ("/v1/transfers", create_transfers, batches.TRANSFERS, TRANSFER))
    for path, by_models, decoder, dtype in routes:
        app.router.add_api_route(path, by_models, methods=["POST"], response_class=Response, route_class_override=_straight(desk, decoder, dtype))


def _straight(desk: Desk, decoder: Any, dtype: np.dtype[np.void]) -> type[APIRoute]:
    """Return the kind of route that reads a body in order by itself, and leaves every other to the models."""

    class Straight(APIRoute):
        def get_route_handler(self) -> Handler:
            by_models = super().get_route_handler()

            async def handle(request: Request) -> Response:
                raw, kind = await _body(request), request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
                if kind == RECORDS:
                    return await _book(desk, _records(raw, dtype))
                events = batches.read(raw, decoder) if kind == JSON else None
                return await by_models(request) if events is None else await _book(desk, events)

            return handle

    return Straight


async def _body(request: Request) -> bytes:
    """Read the body, and let the request know it. Raises Problem (413) as soon as it is larger than any that could be taken."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            detail = f"the body has more than {MOST_BYTES} bytes; {MOST_EVENTS} events fit into that"
            raise Problem(413, "body_too_large", detail, remedy=f"send at most {MOST_EVENTS} events at once; nothing was changed")
        parts.append(part)
    request._body = b"".join(parts)
    return request._body


def _records(raw: bytes, dtype: np.dtype[np.void]) -> Batch:
    try:
        return batches.records(raw, dtype)
    except ValueError as error:
        raise Problem(422, "bad_input", f"body: {error}", remedy="cut it into batches of whole records; nothing was changed") from error


async def _book(desk: Desk, events: Batch) -> Response:
    _refuse_control_accounts(events)
    outcome: Outcome
    if len(events) >= bulkwork.AT_LEAST:
        outcome = await desk.submit_bulk(Bulk(events))
    else:
        _, body = await desk.submit(_few(events))
        outcome = body["results"]
    return Response(batches.answer(outcome), media_type=JSON)


def _few(events: Batch) -> Command:
    """Return a few events as a command."""
    if events.dtype == ACCOUNT:
        accounts: Records[Account] = Records(events)
        return _command(core.create_accounts, tuple(accounts))
    transfers: Records[Transfer] = Records(events)
    return _command(core.create_transfers, tuple(transfers))


def _command(create: Callable[[Books, Any, int], Sequence[Any]], events: Sequence[Any]) -> Command:
    def book(books: Books, now_ns: int) -> Answer:
        return 200, {"results": create(books, events, now_ns)}

    return book


def _refuse_control_accounts(events: Batch) -> None:
    """The loans' control accounts move with a loan or not at all, else the loans would no longer add up to them."""
    if events.dtype == ACCOUNT:
        return
    fields = ("debit_account_id", "credit_account_id")
    named = [np.isin(events[name], CONTROL) & (events[f"{name}_hi"] == 0) for name in fields]
    for index in np.flatnonzero(named[0] | named[1])[:1]:
        account_id = int(events[fields[0] if named[0][index] else fields[1]][index])
        detail = f"{index}: account {account_id} ({chart.name(account_id)}) is a control account of the loans"
        raise Problem(422, "control_account", detail, remedy="use POST /v1/loans or /v1/loans/{id}/repayments")
