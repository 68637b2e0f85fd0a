"""The ledger's door: a loan over HTTP, stored answers, pages, and a clear refusal for each kind of bad input that changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.door import views, web
from reference_apps.ledger.door.loanbodies import LoanBody
from reference_apps.ledger.keeping.desk import Desk

LOAN = {"reference": "case-1", "customer": "mike", "principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6}
QUOTE = {"principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6}
Ask = Callable[..., Awaitable[Any]]
Story = Callable[[Ask, Desk], Awaitable[None]]


@pytest.fixture
def told(tmp_path: Path, ask: Ask) -> Callable[[Story], None]:
    """Tell a story against an app over fresh books; today is 2025-01-31."""

    def tell(story: Story) -> None:
        async def run() -> None:
            desk = Desk(tmp_path / "ledger.db", on_fenced=lambda: None)
            await desk.open()
            app = web.build(desk, lambda: date(2025, 1, 31))

            async def send(method: str, path: str, body: Any = None, key: str = "") -> Any:
                return await ask(app, method, path, body, {"idempotency-key": key} if key else {})

            try:
                await story(send, desk)
            finally:
                await desk.close()

        asyncio.run(run())

    return tell


def test_a_loan_its_schedule_a_repayment_and_the_trial_balance(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        made = await ask("POST", "/v1/loans", LOAN, key="k1")
        assert made.status == 201
        loan = made.body["loan_id"]
        assert (made.body["instalment_fen"], made.body["total_interest_fen"], made.body["first_due_on"]) == (172_548, 35_291, "2025-02-28")
        schedule = (await ask("GET", f"/v1/loans/{loan}/schedule")).body["instalments"]
        assert [line["amount_fen"] for line in schedule] == [172_548] * 5 + [172_551]
        assert (schedule[-1]["balance_fen"], schedule[0]["paid"]) == (0, False)
        paid = await ask("POST", f"/v1/loans/{loan}/repayments", {"amount_fen": 172_548}, key="p1")
        assert paid.status == 201
        assert paid.body["allocated"] == {"penalty_fen": 0, "fee_fen": 0, "interest_fen": 10_000, "principal_fen": 162_548, "overpayment_fen": 0}
        after = (await ask("GET", f"/v1/loans/{loan}")).body
        assert (after["paid_fen"], after["next_due"]["number"], after["outstanding"]["principal_fen"]) == (172_548, 2, 837_452)
        assert (await ask("GET", f"/v1/loans/{loan}/repayments")).body["items"] == [paid.body]
        balance = (await ask("GET", "/v1/trial-balance")).body
        assert balance["balanced"] is True
        assert balance["ledgers"] == [{"ledger": 156, "currency": "CNY", "debits_fen": 1_182_548, "credits_fen": 1_182_548, "difference_fen": 0}]
        assert balance["subledger"] == {"loans_principal_fen": 837_452, "control_principal_fen": 837_452, "difference_fen": 0}
        verified = (await ask("GET", "/v1/journal/verify")).body
        assert (verified["verified"], verified["records"]) == (True, 3)

    told(story)


def test_the_same_key_gets_the_same_answer_and_another_body_is_refused(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        first = await ask("POST", "/v1/loans", LOAN, key="k1")
        await ask("POST", f"/v1/loans/{first.body['loan_id']}/repayments", {"amount_fen": 100}, key="k1")
        again = await ask("POST", "/v1/loans", dict(reversed(LOAN.items())), key="k1")
        assert (again.status, again.body) == (201, first.body), "the stored answer, whatever has happened since"
        other = await ask("POST", "/v1/loans", LOAN | {"principal_fen": 1}, key="k1")
        assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
        assert other.headers["content-type"] == "application/problem+json"
        assert len(desk.books.loans.own) == 1

    told(story)


def test_pages_follow_one_another(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        for number in range(5):
            await ask("POST", "/v1/loans", LOAN, key=f"k{number}")
        for path, count in (("/v1/loans", 5), ("/v1/transfers", 5), ("/v1/accounts", 12)):
            seen: list[Any] = []
            after = ""
            while after is not None:
                page = (await ask("GET", f"{path}?limit=2{after and f'&after={after}'}")).body
                assert len(page["items"]) <= 2
                seen += page["items"]
                after = page["next"]
            assert len(seen) == len({str(each) for each in seen}) == count
        loan = next(iter(desk.books.loans.own))
        assert len((await ask("GET", f"/v1/transfers?loan_id={loan}")).body["items"]) == 1

    told(story)


def test_accounts_and_transfers_of_ones_own(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        opened = await ask("POST", "/v1/accounts", [{"id": str(2**100), "ledger": 156, "code": 7}, {"id": 8, "ledger": 156, "code": 7, "flags": 2}])
        assert [row["status"] for row in opened.body["results"]] == ["created", "created"]
        move = {"id": 1, "debit_account_id": str(2**100), "credit_account_id": 8, "amount": 50, "ledger": 156, "code": 1}
        back = move | {"id": 2, "debit_account_id": 8, "credit_account_id": str(2**100), "amount": 51}
        moved = await ask("POST", "/v1/transfers", [move, move | {"amount": 51}, back])
        assert [row["status"] for row in moved.body["results"]] == ["created", "exists_with_different_amount", "exceeds_credits"]
        assert (await ask("GET", f"/v1/accounts/{2**100}")).body["debits_posted"] == 50
        assert (await ask("POST", "/v1/transfers", [move | {"id": 2}])).body["results"][0]["status"] == "id_already_failed", "the burnt id is kept"

    told(story)


def test_a_loan_may_name_its_method_and_grace(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        made = await ask("POST", "/v1/loans", LOAN | {"method": "equal_principal", "principal_grace": 2}, key="k1")
        assert (made.status, made.body["method"], made.body["instalment_fen"]) == (201, "equal_principal", 10_000)
        schedule = (await ask("GET", f"/v1/loans/{made.body['loan_id']}/schedule")).body
        assert schedule["method"] == "equal_principal"
        assert [line["amount_fen"] for line in schedule["instalments"]] == [10_000, 10_000, 260_000, 257_500, 255_000, 252_500]

    told(story)


def test_a_standard_product_is_the_same_request_as_none(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        first = await ask("POST", "/v1/loans", LOAN, key="k1")
        again = await ask("POST", "/v1/loans", LOAN | {"method": "annuity", "interest_free": 0}, key="k1")
        assert (again.status, again.body) == (201, first.body)
        other = await ask("POST", "/v1/loans", LOAN | {"method": "flat"}, key="k1")
        assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
        known = {"reference", "customer", "currency", "principal_fen", "annual_rate", "periods", "disbursed_on", "tenant"}
        assert set(LoanBody.model_validate(LOAN).asked()) == known, "keys answered before there were products are still known"

    told(story)


def test_a_quote_shows_the_schedule_and_what_it_costs_and_lends_nothing(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        before = views.trial_balance(desk.books)
        quote = await ask("POST", "/v1/quotes", QUOTE | {"fee_fen": 10_000})
        assert quote.status == 200
        assert (quote.body["received_fen"], quote.body["total_interest_fen"], quote.body["total_fen"]) == (990_000, 35_291, 1_035_291)
        rates = quote.body["rates"]
        assert (rates["nominal"], rates["irr12"], rates["effective"]) == ("0.120000", "0.155190", "0.166718")
        assert quote.body["instalments"][0] == {
            "number": 1,
            "due_on": "2025-02-28",
            "principal_fen": 162_548,
            "interest_fen": 10_000,
            "amount_fen": 172_548,
            "balance_fen": 837_452,
        }
        paid_down = (await ask("POST", "/v1/quotes", QUOTE | {"down_payment": "0.20", "disbursed_on": "2026-01-31"})).body
        assert [line["amount_fen"] for line in paid_down["instalments"]] == [200_000] + [138_039] * 5 + [138_038]
        assert (paid_down["instalments"][0]["due_on"], paid_down["instalments"][0]["balance_fen"]) == ("2026-01-31", 800_000)
        assert views.trial_balance(desk.books) == before

    told(story)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in LOAN.items() if name not in names}


TRANSFER = {"id": 1, "debit_account_id": 8, "credit_account_id": 9, "amount": 5, "ledger": 156, "code": 1}
BAD: dict[str, tuple[str, str, Any, str, str]] = {
    "not JSON": ("POST", "/v1/loans", b"{", "k", "body"),
    "not an object": ("POST", "/v1/loans", [1], "k", "body"),
    "no key": ("POST", "/v1/loans", LOAN, "", "idempotency-key"),
    "a field missing": ("POST", "/v1/loans", without("customer"), "k", "customer: Field required"),
    "a field too many": ("POST", "/v1/loans", LOAN | {"fee": 1}, "k", "fee: Extra inputs"),
    "no money": ("POST", "/v1/loans", LOAN | {"principal_fen": 0}, "k", "principal_fen: Input should be greater than 0"),
    "negative": ("POST", "/v1/loans", LOAN | {"principal_fen": -5}, "k", "principal_fen"),
    "huge": ("POST", "/v1/loans", LOAN | {"principal_fen": 10**20}, "k", "principal_fen"),
    "a fraction of a fen": ("POST", "/v1/loans", LOAN | {"principal_fen": 1.5}, "k", "principal_fen"),
    "a float rate": ("POST", "/v1/loans", LOAN | {"annual_rate": 0.12}, "k", "annual_rate: Value error, must be a decimal fraction as text"),
    "a rate that is none": ("POST", "/v1/loans", LOAN | {"annual_rate": "NaN"}, "k", "annual_rate"),
    "a rate in percent": ("POST", "/v1/loans", LOAN | {"annual_rate": "12"}, "k", "annual_rate: Input should be less than or equal to 1"),
    "a currency without books": ("POST", "/v1/loans", LOAN | {"currency": "USD"}, "k", "no books are kept in USD"),
    "too many periods": ("POST", "/v1/loans", LOAN | {"periods": 61}, "k", "periods"),
    "too little to split": ("POST", "/v1/loans", LOAN | {"principal_fen": 40, "periods": 60, "annual_rate": "0"}, "k", "cannot be repaid in 60"),
    "no such method": ("POST", "/v1/loans", LOAN | {"method": "balloon"}, "k", "method: Input should be 'annuity', 'equal_principal' or 'flat'"),
    "grace to the end": ("POST", "/v1/loans", LOAN | {"principal_grace": 6}, "k", "principal_grace: 6 periods of grace leave none of 6"),
    "negative grace": ("POST", "/v1/loans", LOAN | {"interest_grace": -1}, "k", "interest_grace: Input should be greater than or equal to 0"),
    "a family of another method": ("POST", "/v1/loans", LOAN | {"method": "flat", "family": "progressive"}, "k", "family: progressive is a family"),
    "a loan all paid down": ("POST", "/v1/loans", LOAN | {"down_payment": "1"}, "k", "down_payment: Input should be less than 1"),
    "a loan that is all fee": ("POST", "/v1/loans", LOAN | {"fee_fen": 1_000_000}, "k", "fee_fen: a fee of 1000000 fen leaves nothing"),
    "a loan due before it is paid out": ("POST", "/v1/loans", LOAN | {"first_due_on": "2025-01-31"}, "k", "first_due_on: 2025-01-31 is not after"),
    "a shift without a calendar": ("POST", "/v1/loans", LOAN | {"shift": "next"}, "k", "shift: next, but this ledger has no calendar"),
    "an order with a component missing": ("POST", "/v1/loans", LOAN | {"order": ["fee"]}, "k", "order: each of penalty, fee, interest, principal"),
    "a quote with too much grace": ("POST", "/v1/quotes", QUOTE | {"interest_grace": 6}, "", "interest_grace: 6 periods of grace leave none of 6"),
    "a fee of everything": ("POST", "/v1/quotes", QUOTE | {"fee_fen": 1_000_000}, "", "fee_fen: a fee of 1000000 fen leaves nothing"),
    "a fee and a down payment of everything": ("POST", "/v1/quotes", QUOTE | {"fee_fen": 900_000, "down_payment": "0.2"}, "", "never change their sign"),
    "a quote too small to split": ("POST", "/v1/quotes", QUOTE | {"principal_fen": 4, "annual_rate": "0"}, "", "cannot be repaid in 6 equal instalments"),
    "due before it is paid out": ("POST", "/v1/quotes", QUOTE | {"first_due_on": "2025-01-31"}, "", "first_due_on: 2025-01-31 is not after"),
    "all paid down": ("POST", "/v1/quotes", QUOTE | {"down_payment": "1"}, "", "down_payment: Input should be less than 1"),
    "no such day": ("POST", "/v1/loans", LOAN | {"disbursed_on": "2025-02-30"}, "k", "disbursed_on"),
    "a day to come": ("POST", "/v1/loans", LOAN | {"disbursed_on": "2025-02-01"}, "k", "disbursed_on: 2025-02-01 has not come yet"),
    "a day long gone": ("POST", "/v1/loans", LOAN | {"disbursed_on": "0001-01-01"}, "k", "disbursed_on"),
    "an empty batch": ("POST", "/v1/transfers", [], "", "body"),
    "an oversized batch": ("POST", "/v1/transfers", [TRANSFER] * 8001, "", "at most 8000 items"),
    "a true amount": ("POST", "/v1/transfers", [TRANSFER | {"amount": True}], "", "0.amount: Value error, must be a whole number"),
    "an id beyond 128 bits": ("POST", "/v1/transfers", [TRANSFER | {"id": str(2**128)}], "", "0.id"),
    "a control account": ("POST", "/v1/transfers", [TRANSFER | {"debit_account_id": 1101}], "", "account 1101 (principal) is a control account"),
    "a limit of nothing": ("GET", "/v1/loans?limit=0", None, "", "query.limit"),
}


@pytest.mark.parametrize("method, path, body, key, named", BAD.values(), ids=BAD)
def test_bad_input_is_named_and_changes_nothing(told: Callable[[Story], None], method: str, path: str, body: Any, key: str, named: str) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        before = views.trial_balance(desk.books)
        refused = await ask(method, path, body, key=key)
        assert refused.status == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert named in refused.body["detail"], refused.body
        assert refused.body["remedy"]
        assert views.trial_balance(desk.books) == before

    told(story)


def test_what_is_not_there_is_404(told: Callable[[Story], None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        for method, path, body in (
            ("GET", "/v1/loans/LN1", None),
            ("GET", "/v1/loans/LN1/schedule", None),
            ("GET", "/v1/loans?after=LN1", None),
            ("POST", "/v1/loans/LN1/repayments", {"amount_fen": 1}),
            ("GET", "/v1/accounts/77", None),
            ("GET", "/v2/loans", None),
        ):
            missing = await ask(method, path, body, key="k")
            assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json"), path
            assert missing.body["remedy"]
        assert (await ask("DELETE", "/v1/loans")).status == 405

    told(story)
