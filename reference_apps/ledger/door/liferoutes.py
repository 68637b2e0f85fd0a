"""The routes by which something happens to a loan: each body becomes one happening, booked under its Idempotency-Key."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Path
from fastapi.responses import JSONResponse

from ctl.kit.problem import Problem
from reference_apps.ledger.books import Books
from reference_apps.ledger.door import loanviews
from reference_apps.ledger.door.lifebodies import (
    ChargebackBody,
    ChargeOffBody,
    FeeBody,
    ReAgeingBody,
    ReAmortisationBody,
    RefundBody,
    RepaymentBody,
    ReversalBody,
    SettlementBody,
    WaiverBody,
)
from reference_apps.ledger.door.loanroutes import IdempotencyKey, find, keyed
from reference_apps.ledger.keeping import reply
from reference_apps.ledger.keeping.desk import Answer, Command, Desk
from reference_apps.ledger.loans import lending
from reference_apps.ledger.loans.happening import PAYING, Happening
from reference_apps.ledger.loans.loan import Loan

Number = Annotated[int, Path(ge=1)]
Made = Callable[[Loan], Happening]
Today = Callable[[], date]


class Sent(Protocol):
    """A body that becomes a happening."""

    @property
    def tenant(self) -> str: ...

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


def add(app: FastAPI, desk: Desk, today: Today) -> None:
    """Add everything that can happen to a loan."""

    async def enter(loan_id: str, route: str, key: str, body: Sent, made: Made) -> JSONResponse:
        known = reply.key(body.tenant, f"POST /v1/loans/{loan_id}/{route}", key, body.model_dump(mode="json"))
        return await keyed(desk, _entering(loan_id, made), known)

    _money(app, enter, today)
    _terms(app, enter, today)
    _corrections(app, enter, today)


Enter = Callable[[str, str, str, Sent, Made], Any]


def _money(app: FastAPI, enter: Enter, today: Today) -> None:
    @app.post("/v1/loans/{loan_id}/repayments", status_code=201)
    async def repay(loan_id: str, body: RepaymentBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "repayments", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/settlements", status_code=201)
    async def settle(loan_id: str, body: SettlementBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "settlements", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/refunds", status_code=201)
    async def refund(loan_id: str, body: RefundBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "refunds", idempotency_key, body, lambda loan: body.happening(loan, today()))


def _terms(app: FastAPI, enter: Enter, today: Today) -> None:
    @app.post("/v1/loans/{loan_id}/charge-off", status_code=201)
    async def charge_off(loan_id: str, body: ChargeOffBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "charge-off", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/re-ageing", status_code=201)
    async def re_age(loan_id: str, body: ReAgeingBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "re-ageing", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/re-amortisation", status_code=201)
    async def re_amortise(loan_id: str, body: ReAmortisationBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "re-amortisation", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/fees", status_code=201)
    async def charge(loan_id: str, body: FeeBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "fees", idempotency_key, body, lambda loan: body.happening(loan, today()))

    @app.post("/v1/loans/{loan_id}/waivers", status_code=201)
    async def waive(loan_id: str, body: WaiverBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, "waivers", idempotency_key, body, lambda loan: body.happening(loan, today()))


def _corrections(app: FastAPI, enter: Enter, today: Today) -> None:
    @app.post("/v1/loans/{loan_id}/repayments/{number}/chargeback", status_code=201)
    async def charge_back(loan_id: str, number: Number, body: ChargebackBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, f"repayments/{number}/chargeback", idempotency_key, body, lambda loan: body.happening(loan, today(), number))

    @app.post("/v1/loans/{loan_id}/repayments/{number}/reversal", status_code=201)
    async def reverse_repayment(loan_id: str, number: Number, body: ReversalBody, idempotency_key: IdempotencyKey) -> Any:
        def made(loan: Loan) -> Happening:
            return body.happening(_has_payment(loan, number), today(), number)

        return await enter(loan_id, f"repayments/{number}/reversal", idempotency_key, body, made)

    @app.post("/v1/loans/{loan_id}/history/{number}/reversal", status_code=201)
    async def reverse(loan_id: str, number: Number, body: ReversalBody, idempotency_key: IdempotencyKey) -> Any:
        return await enter(loan_id, f"history/{number}/reversal", idempotency_key, body, lambda loan: body.happening(loan, today(), number))


def _entering(loan_id: str, made: Made) -> Command:
    def enter(books: Books, now_ns: int) -> Answer:
        loan = find(books, loan_id)
        happening = made(loan)
        life = lending.happen(books, loan, happening, now_ns)
        view = loanviews.repayment if happening.kind in PAYING else loanviews.happening
        return 201, view(life, happening)

    return enter


def _has_payment(loan: Loan, number: int) -> Loan:
    if not any(each.number == number and each.kind in PAYING for each in loan.happenings):
        detail = f"loan {loan.id} has no payment {number}"
        raise Problem(404, "payment_not_found", detail, remedy="GET /v1/loans/{id}/repayments lists them")
    return loan
