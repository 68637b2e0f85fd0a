"""Work for a ledger's desk in tests: open it, pay loans out, look into its books."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from reference_apps.ledger.door import views
from reference_apps.ledger.door.loanbodies import LoanBody
from reference_apps.ledger.door.loanroutes import _disbursing
from reference_apps.ledger.door.web import today
from reference_apps.ledger.keeping import reply
from reference_apps.ledger.keeping.desk import Desk
from reference_apps.ledger.keeping.journals import Place


def on_desk(place: Place, work: Callable[[Desk], Awaitable[Any]]) -> Any:
    """Open the books, do something, close them."""

    async def run() -> Any:
        desk = Desk(place, on_fenced=lambda: None)
        await desk.open()
        try:
            return await work(desk)
        finally:
            await desk.close()

    return asyncio.run(run())


async def pay_out(desk: Desk, number: int) -> str:
    body = LoanBody(reference=f"case-{number}", customer="c", principal_fen=100_000 + number, annual_rate="0.18", periods=12)
    key = reply.key("default", "POST /v1/loans", f"key-{number}", body.model_dump(mode="json"))
    _, loan = await desk.submit(_disbursing(key, body, today()), key)
    return str(loan["loan_id"])


async def pay_out_many(desk: Desk, count: int = 40) -> list[str]:
    return list(await asyncio.gather(*(pay_out(desk, number) for number in range(count))))


async def books_of(desk: Desk) -> dict[str, Any]:
    assert views.trial_balance(desk.books)["balanced"]
    return {loan.id: loan for loan in desk.books.loans.own.values()}
