"""A loan's life over HTTP: each thing that can happen has its route, its key and its refusals; a loan is shown as it stands on a day."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.door import policy, views, web
from reference_apps.ledger.keeping.desk import Desk

LOAN = {"reference": "case-1", "customer": "mike", "principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6, "disbursed_on": "2025-01-15"}
LATE = {"late_fee_fen": 500, "late_fee_rate": "0.01", "penalty_daily_rate": "0.0005", "penalty_grace_days": 3}
Ask = Callable[..., Awaitable[Any]]
Story = Callable[[Ask, Desk], Awaitable[None]]


@pytest.fixture
def told(tmp_path: Path, ask: Ask) -> Callable[..., None]:
    """Tell a story against an app over fresh books, under a configuration; today is 2025-04-20. Every body sent gets a key of its own."""

    def tell(story: Story, **config: str) -> None:
        async def run() -> None:
            desk = Desk(tmp_path / "ledger.db", on_fenced=lambda: None)
            await desk.open()
            app = web.build(desk, lambda: date(2025, 4, 20), policy.load(lambda key, default: config.get(key.replace(".", "_"), default)))
            keys = iter(range(1_000))

            async def send(method: str, path: str, body: Any = None, key: str = "") -> Any:
                return await ask(app, method, path, body, {"idempotency-key": key or f"key-{next(keys)}"})

            try:
                await story(send, desk)
                assert views.trial_balance(desk.books)["balanced"]
            finally:
                await desk.close()

        asyncio.run(run())

    return tell


async def lent(ask: Ask, **fields: Any) -> str:
    made = await ask("POST", "/v1/loans", LOAN | fields)
    assert made.status == 201, made.body
    return f"/v1/loans/{made.body['loan_id']}"


def test_a_loan_is_shown_as_it_stands_on_a_day(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask, **LATE)
        now, then, early = [(await ask("GET", f"{loan}{on}")).body for on in ("", "?on=2025-05-16", "?on=2025-01-20")]
        assert (now["on"], now["status"], now["days_past_due"], now["bucket"], early["status"]) == ("2025-04-20", "overdue", 64, "61-90", "active")
        assert (now["overdue_fen"], now["earned"]["fee_fen"]) == (sum(line["unpaid_fen"] for line in await lines(ask, loan) if line["number"] <= 3), 3 * 2_225)
        assert (then["days_past_due"], then["bucket"], early["earned"]["interest_fen"]) == (90, "61-90", 1_613)
        before = await ask("GET", f"{loan}?on=2025-01-14")
        assert (before.status, before.body["code"]) == (422, "before_disbursed")
        assert (await ask("GET", "/v1/loans?on=2025-02-10")).body["items"][0]["days_past_due"] == 0

    told(story)


async def lines(ask: Ask, loan: str) -> list[Any]:
    return list((await ask("GET", f"{loan}/schedule")).body["instalments"])


def test_a_quote_and_its_settlement_agree_to_the_fen(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask, **LATE)
        quote = (await ask("GET", f"{loan}/payoff")).body
        assert quote["interest_saved_fen"] == 35_291 - 25_108 - 846
        stale = (await ask("GET", f"{loan}/payoff?on=2025-04-19")).body
        refused = await ask("POST", f"{loan}/settlements", {"amount_fen": stale["amount_fen"]})
        assert (refused.status, refused.body["code"]) == (409, "stale_quote")
        assert str(stale["amount_fen"]) in refused.body["detail"]
        assert str(quote["amount_fen"]) in refused.body["detail"]
        settled = await ask("POST", f"{loan}/settlements", {"amount_fen": quote["amount_fen"]}, key="s")
        assert (settled.status, settled.body["outstanding_fen"], settled.body["allocated"]["principal_fen"]) == (201, 0, 1_000_000)
        assert (await ask("POST", f"{loan}/settlements", {"amount_fen": quote["amount_fen"]}, key="s")).body == settled.body
        assert (await ask("GET", loan)).body["status"] == "closed"
        assert (await ask("POST", f"{loan}/settlements", {"amount_fen": 0})).body["code"] == "loan_is_closed"

    told(story)


def test_a_repayment_that_bounced_is_reversed_with_its_reason(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask)
        fresh = (await ask("GET", loan)).body
        paid = await ask("POST", f"{loan}/repayments", {"amount_fen": 172_548, "paid_on": "2025-02-15"})
        back = await ask("POST", f"{loan}/repayments/1/reversal", {"reason": "bounced"})
        assert (paid.status, back.status, back.body["of"], back.body["reason"], back.body["outstanding_fen"]) == (201, 201, 1, "bounced", 1_035_291)
        shown = (await ask("GET", f"{loan}/repayments")).body["items"]
        assert (shown[0]["reversed_by"], shown[0]["parts"]) == (2, [])
        assert (await ask("GET", loan)).body == fresh | {"repayments": 1}
        assert (await ask("POST", f"{loan}/repayments/1/reversal", {"reason": "again"})).body["code"] == "reversed_already"
        assert (await ask("POST", f"{loan}/repayments/2/reversal", {"reason": "none"})).body["code"] == "payment_not_found"
        assert [each["kind"] for each in (await ask("GET", f"{loan}/history")).body["items"]] == ["paid", "reversed"]

    told(story)


def test_everything_else_that_can_happen_to_a_loan(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask, **LATE)
        done = [
            await ask("POST", f"{loan}/repayments", {"amount_fen": 172_548, "paid_on": "2025-02-15"}),
            await ask("POST", f"{loan}/repayments/1/chargeback", {"on": "2025-03-01", "reason": "stolen card"}),
            await ask("POST", f"{loan}/fees", {"amount_fen": 1_000, "reason": "statement"}),
            await ask("POST", f"{loan}/waivers", {"component": "fee", "amount_fen": 400, "reason": "goodwill"}),
            await ask("POST", f"{loan}/refunds", {"of": "purchase", "amount_fen": 50_000}),
            await ask("POST", f"{loan}/re-amortisation", {"reason": "agreed"}),
            await ask("POST", f"{loan}/re-ageing", {"periods": 12, "start_on": "2025-05-31", "reason": "hardship"}),
            await ask("POST", f"{loan}/charge-off", {"reason": "deceased"}),
            await ask("POST", f"{loan}/history/8/reversal", {"reason": "another customer"}),
            await ask("POST", f"{loan}/charge-off", {}),
            await ask("POST", f"{loan}/repayments", {"amount_fen": 2_000_000}),
        ]
        assert [each.status for each in done] == [201] * 11, [each.body for each in done]
        assert done[1].body["moved"] == [
            {"debit": "principal", "credit": "bank", "amount_fen": 162_548},
            {"debit": "interest_receivable", "credit": "bank", "amount_fen": 10_000},
        ]
        assert (done[7].body["status"], done[8].body["status"], done[10].body["recovery"]) == ("charged_off", "active", True)
        over = done[10].body["allocated"]["overpayment_fen"]
        assert (await ask("POST", f"{loan}/refunds", {"of": "overpayment", "amount_fen": over + 1})).body["code"] == "more_than_there_is"
        assert (await ask("POST", f"{loan}/refunds", {"of": "overpayment", "amount_fen": over})).status == 201
        after = (await ask("GET", loan)).body
        assert (after["status"], after["overpaid_fen"], after["recovered_fen"]) == ("closed", 0, 2_000_000 - over)
        page = (await ask("GET", f"{loan}/history?limit=5")).body
        assert (len(page["items"]), page["next"]) == (5, 5)

    told(story)


BAD: dict[str, tuple[str, Any, str]] = {
    "no reason": ("repayments/1/reversal", {}, "reason: Field required"),
    "a payment of nothing": ("repayments", {"amount_fen": 0}, "amount_fen"),
    "a settlement to come": ("settlements", {"amount_fen": 5, "on": "2025-04-21"}, "on: 2025-04-21 has not come yet"),
    "a refund of what": ("refunds", {"amount_fen": 5}, "of: Field required"),
    "a refund of something else": ("refunds", {"amount_fen": 5, "of": "gift"}, "of: Input should be 'purchase' or 'overpayment'"),
    "too many new instalments": ("re-ageing", {"periods": 61, "start_on": "2025-06-01"}, "periods"),
    "new instalments in the past": ("re-ageing", {"periods": 6, "start_on": "2025-04-20"}, "start_on: 2025-04-20 is not after"),
    "a waiver of principal": ("waivers", {"component": "principal", "amount_fen": 5, "reason": "x"}, "component: Input should be 'fee' or 'penalty'"),
    "a fee without a reason": ("fees", {"amount_fen": 5}, "reason: Field required"),
    "a charge-off before the loan": ("charge-off", {"on": "2025-01-14"}, "2025-01-14 is before loan"),
    "a happening with a field too many": ("charge-off", {"amount_fen": 5}, "amount_fen: Extra inputs"),
    "a negative chargeback": ("repayments/1/chargeback", {"amount_fen": -5}, "amount_fen"),
}


@pytest.mark.parametrize("route, body, named", BAD.values(), ids=BAD)
def test_bad_input_is_named_and_changes_nothing(told: Callable[..., None], route: str, body: Any, named: str) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask)
        before = views.trial_balance(desk.books)
        refused = await ask("POST", f"{loan}/{route}", body)
        assert refused.status == 422, refused.body
        assert named in refused.body["detail"], refused.body
        assert refused.body["remedy"]
        assert views.trial_balance(desk.books) == before

    told(story)


def test_every_route_needs_a_key_and_a_loan(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        for route in ("repayments", "settlements", "refunds", "charge-off", "re-ageing", "re-amortisation", "fees", "waivers"):
            body = {"amount_fen": 1, "of": "purchase", "periods": 3, "start_on": "2025-06-01", "reason": "x", "component": "fee"}
            known = {
                "repayments": ("amount_fen",), "settlements": ("amount_fen",), "refunds": ("amount_fen", "of"), "re-ageing": ("periods", "start_on"),
                "fees": ("amount_fen", "reason"), "waivers": ("amount_fen", "component", "reason"),
            }.get(route, ())  # fmt: skip
            missing = await ask("POST", f"/v1/loans/LN1/{route}", {name: body[name] for name in known})
            assert (missing.status, missing.body["code"]) == (404, "loan_not_found"), route

    told(story)


def test_a_loan_above_the_tenants_cap_is_refused_naming_both_rates_and_fees_count(told: Callable[..., None]) -> None:
    async def story(ask: Ask, desk: Desk) -> None:
        assert (await ask("POST", "/v1/loans", LOAN)).status == 201, "an irr*12 of 12 % is within 12 %"
        refused = await ask("POST", "/v1/loans", LOAN | {"fee_fen": 10_000})
        assert (refused.status, refused.body["code"]) == (422, "above_rate_cap")
        assert "costs 0.155190 a year" in refused.body["detail"]
        assert "cap is 0.12" in refused.body["detail"]
        warned = await ask("POST", "/v1/loans", LOAN | {"fee_fen": 10_000, "tenant": "partner"})
        assert warned.status == 201
        assert "costs 0.155190 a year" in warned.body["warnings"][0]
        assert (await ask("POST", "/v1/loans", LOAN | {"fee_fen": 10_000, "tenant": "free"})).body["warnings"][0].endswith("cap is 0.12")
        unreadable = await ask("POST", "/v1/loans", LOAN | {"tenant": "broken"})
        assert (unreadable.status, unreadable.body["code"]) == (503, "bad_policy"), "what cannot be checked is not lent"

    told(story, cap_irr="0.12", cap_irr_partner="0.15", cap_action_partner="warn", cap_action_free="warn", cap_irr_broken="a lot")


def test_due_dates_avoid_the_days_nobody_works(told: Callable[..., None], tmp_path: Path) -> None:
    days = tmp_path / "holidays"
    days.write_text("# a long weekend\n2025-02-15\n2025-02-16  # Sunday\n\n2025-03-15\n")

    async def story(ask: Ask, desk: Desk) -> None:
        loan = await lent(ask, shift="next")
        assert [line["due_on"] for line in await lines(ask, loan)][:3] == ["2025-02-17", "2025-03-16", "2025-04-15"]
        first = await lent(ask, first_due_on="2025-02-28", down_payment="0.2")
        assert [line["due_on"] for line in await lines(ask, first)][:3] == ["2025-01-15", "2025-02-28", "2025-03-28"]
        quoted = (
            await ask(
                "POST", "/v1/quotes", {"principal_fen": 1_000_000, "annual_rate": "0.12", "periods": 6, "disbursed_on": "2025-01-15", "shift": "previous"}
            )
        ).body
        assert quoted["instalments"][0]["due_on"] == "2025-02-14"

    told(story, calendar_file=str(days))


@pytest.mark.parametrize(
    "config, named",
    [
        ({"cap.irr": "24%"}, "cap.irr is '24%'"),
        ({"cap.irr": "24"}, "cap.irr is '24'; a cap is a fraction"),
        ({"cap.irr": "0.24", "cap.action": "clamp"}, "cap.action is 'clamp'; at contract write refuse or warn"),
        ({"calendar.file": "/nowhere"}, "calendar.file is '/nowhere', which cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_meant_does_not_start(config: dict[str, str], named: str) -> None:
    with pytest.raises(policy.BadPolicy, match=re.escape(named)):
        policy.load(lambda key, default: config.get(key, default))


def test_a_calendar_names_the_line_that_is_no_day(tmp_path: Path) -> None:
    days = tmp_path / "holidays"
    days.write_text("2025-02-15\n15 Feb\n")
    with pytest.raises(policy.BadPolicy, match=r"line 2 of .*holidays is '15 Feb'"):
        policy.load(lambda key, default: str(days) if key == "calendar.file" else default)
