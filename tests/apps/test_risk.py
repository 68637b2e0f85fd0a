"""Risk: the three customers exactly, better evidence never worse, the cap, and a wrong package or question refused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.calls import Calls
from ctl.kit.identity import Identity
from reference_apps.risk import policy, rehearsal, web
from reference_apps.risk.deciding import pricing
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce
from reference_apps.risk.model import Cap, CapAction, Fact, Flow, Outcome, Question
from reference_apps.risk.packages import reading
from reference_apps.risk.packages.model import PriceRow
from reference_apps.risk.variables.bureaus import Bureaus

PACKAGE = reading.read()
DECIDER = Decider(PACKAGE)
SHOPPING = {"taobao": {"orders_12m": 40, "spend_12m_fen": 300_000}, "jd": {"orders_12m": 6, "spend_12m_fen": 120_000}}
MIKE = {"application_id": "a1", "customer_id": "mike", "age": 34, "zhima_score": 780, "pboc_record": "good"}
JOHN = {"application_id": "a2", "customer_id": "john", "age": 41, "zhima_score": 650}
JANE = {"application_id": "a3", "customer_id": "jane", "age": 27, "zhima_score": 600, "pboc_record": "none", **SHOPPING}
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def decided(ask: Ask, tmp_path: Path) -> Callable[..., Any]:
    """Return `decided(body, config)`: the answer of a risk instance with that configuration."""
    nobody = Bureaus(Calls(Identity.from_environ({})), {}, {})

    def send(body: Any, config: Mapping[str, str] | None = None, method: str = "POST", path: str = "/v1/decisions") -> Any:
        def read(key: str, default: str) -> str:
            return (config or {}).get(key, default)

        async def answered() -> Any:
            desk = Desk(InForce(DECIDER), policy.load(read, PACKAGE), tmp_path, nobody)
            try:
                return await ask(web.build(desk, rehearsal.load(read)), method, path, body)
            finally:
                await desk.stop()

        return asyncio.run(answered())

    return send


@pytest.mark.parametrize(
    "customer, limit, rate, flow, irr12, effective",
    [
        (MIKE, 500_000, "0.10", "fast", "0.10", "0.1047"),
        (JOHN, 400_000, "0.18", "normal", "0.18", "0.1956"),
        (JANE, 200_000, "0.25", "extended", "0.25", "0.2807"),
    ],
    ids=["mike", "john", "jane"],
)
def test_the_three_customers(decided: Callable[..., Any], customer: dict[str, Any], limit: int, rate: str, flow: str, irr12: str, effective: str) -> None:
    made = decided(customer)
    assert made.status == 200
    assert made.body["outcome"] == "pass"
    offer = made.body["offer"]
    assert (offer["limit_fen"], offer["annual_rate"], offer["flow"], offer["irr12"], offer["effective_rate"]) == (limit, rate, flow, irr12, effective)
    assert made.body["base_points"] + sum(each["points"] for each in made.body["points"]) == made.body["score"]
    assert made.body["package"].startswith("sha256:")
    assert all(reason["en"] and reason["zh"] for reason in made.body["reasons"])
    assert decided(customer).body == made.body, "the same question has the same answer, byte for byte"


@pytest.mark.parametrize("age", [18, 25, 40, 60])
@pytest.mark.parametrize("customer, grade", [(MIKE, "A"), (JOHN, "B"), (JANE, "C")])
def test_their_grade_does_not_hang_on_their_age(decided: Callable[..., Any], customer: dict[str, Any], grade: str, age: int) -> None:
    assert decided(customer | {"age": age}).body["offer"]["grade"] == grade


def test_jane_without_shopping_data_is_told_what_is_missing_and_never_passes(decided: Callable[..., Any]) -> None:
    asked = {name: value for name, value in JANE.items() if name not in ("taobao", "jd")}
    made = decided(asked).body
    assert (made["outcome"], made["missing_evidence"], made["offer"]["flow"]) == ("review", ["taobao", "jd"], "extended")
    assert decided(asked | {"jd": SHOPPING["jd"]}).body["missing_evidence"] == ["taobao"]
    assert made["reasons"][0]["code"] == "evidence_missing"


def test_who_buys_nothing_at_all_is_refused_in_the_extended_flow(decided: Callable[..., Any]) -> None:
    nothing = {"orders_12m": 0, "spend_12m_fen": 0}
    made = decided(JANE | {"taobao": nothing, "jd": nothing}).body
    assert (made["outcome"], made["offer"], made["reasons"][0]["code"]) == ("reject", None, "score_too_low")


@pytest.mark.parametrize(
    "fact, rule, reason",
    [
        ({"age": 17}, "R01", "too_young"),
        ({"age": 61}, "R02", "too_old"),
        ({"customer_id": "blacklisted-1"}, "R03", "blacklisted"),
        ({"pboc_record": "bad"}, "R04", "bad_record"),
        ({"other_debt_fen": 20_000_001}, "R05", "too_much_debt"),
        ({"periods": 37}, "R06", "term_too_long"),
        ({"amount_fen": 9_999}, "R07", "amount_too_small"),
    ],
)
def test_hard_rules_come_first(decided: Callable[..., Any], fact: dict[str, Any], rule: str, reason: str) -> None:
    made = decided(MIKE | fact).body
    assert (made["outcome"], made["offer"], made["rules_hit"], made["reasons"][0]["code"]) == ("reject", None, [rule], reason)


def test_without_a_zhima_score_a_person_looks(decided: Callable[..., Any]) -> None:
    made = decided(MIKE | {"zhima_score": None}).body
    assert (made["outcome"], made["score"], made["offer"], made["reasons"][0]["code"]) == ("review", None, None, "no_score")


def test_the_cap_is_the_tenants_policy(decided: Callable[..., Any]) -> None:
    refuse = {"cap.irr": "0.24"}
    assert decided(JANE, refuse).body["outcome"] == "reject"
    assert decided(JANE, refuse).body["reasons"][0]["code"] == "above_cap"
    assert decided(JANE, refuse).body["offer"] is None
    clamped = decided(JANE, {"cap.irr": "0.24", "cap.action": "clamp"}).body
    assert (clamped["outcome"], clamped["offer"]["annual_rate"], clamped["offer"]["limit_fen"]) == ("pass", "0.24", 200_000)
    warned = decided(JANE, {"cap.irr": "0.24", "cap.action": "warn"}).body
    assert (warned["outcome"], warned["offer"]["annual_rate"], warned["reasons"][0]["code"]) == ("pass", "0.25", "cap_warning")
    for customer in (MIKE, JOHN):
        assert decided(customer, refuse).body["outcome"] == "pass"
    one = {"cap.irr.strict": "0.12", "cap.action.strict": "refuse"}
    assert decided(JANE, one).body["outcome"] == "pass"
    assert decided(JANE | {"tenant": "strict"}, one).body["outcome"] == "reject"
    assert decided(JANE, {"cap.irr": "0.25"}).body["outcome"] == "pass", "at the cap is not above it"


def test_another_price_table_is_a_config_key(decided: Callable[..., Any]) -> None:
    made = decided(MIKE, {"price.table": "careful"}).body
    assert (made["price_table"], made["offer"]["limit_fen"], made["offer"]["annual_rate"]) == ("careful", 400_000, "0.12")
    assert decided(JANE, {"price.table": "careful"}).body["outcome"] == "reject"
    assert set(decided(None, method="GET", path="/v1/package").body["prices"]) == {"standard", "careful"}


evidence = st.fixed_dictionaries(
    {
        "zhima_score": st.integers(350, 950),
        "pboc_record": st.sampled_from(("none", "ordinary", "good")),
        "taobao": st.integers(0, 3_000_000),
        "jd": st.integers(0, 3_000_000),
    }
)
RANK = {"none": 0, "ordinary": 1, "good": 2}


@settings(deadline=None, max_examples=300)
@given(evidence, evidence, st.integers(18, 60), st.sampled_from(sorted(PACKAGE.prices)), st.sampled_from(PACKAGE.router.scenes))
def test_better_evidence_never_gets_less(one: dict[str, Fact], two: dict[str, Fact], age: int, table: str, scene: str) -> None:
    better: dict[str, Fact] = {name: max(_number(one[name]), _number(two[name])) for name in ("zhima_score", "taobao", "jd")}
    better["pboc_record"] = max(str(one["pboc_record"]), str(two["pboc_record"]), key=RANK.__getitem__)
    low, high = (DECIDER.decide(Question(facts=DECIDER.complete(known | {"age": age}), scene=scene, table=table)) for known in (one, better))
    if low.offer is not None:
        assert high.offer is not None
        assert (high.outcome is Outcome.PASS) >= (low.outcome is Outcome.PASS)
        assert high.offer.limit_fen >= low.offer.limit_fen
        assert high.offer.annual_rate <= low.offer.annual_rate


def _number(fact: Fact) -> int:
    assert isinstance(fact, int)
    return fact


def priced(rate: Decimal, fee: Decimal = Decimal(0), periods: int = 12) -> Any:
    return pricing.offer(PriceRow(grade="X", min_score=0, limit_fen=1, annual_rate=rate, fee_rate=fee, flow=Flow.NORMAL, requires=()), periods)


@settings(deadline=None, max_examples=100)
@given(
    st.decimals("0.01", "0.60", places=2), st.decimals("0.01", "0.60", places=2), st.sampled_from((CapAction.REFUSE, CapAction.CLAMP)),
    st.sampled_from((Decimal(0), Decimal("0.01"), Decimal("0.05"))), st.integers(1, 36),
)  # fmt: skip
def test_no_offer_is_above_the_cap(rate: Decimal, cap: Decimal, action: CapAction, fee: Decimal, periods: int) -> None:
    before = priced(rate, fee, periods)
    made, said = pricing.capped(before, Cap(cap, action), periods)
    assert made is None or made.irr12 <= cap
    assert (made is None or bool(said)) == (before.irr12 > cap)


def test_a_fee_raises_what_an_offer_costs_as_the_worked_example_says() -> None:
    """10,000.00 over 6 months at 12 %, 100.00 kept back: irr*12 is 15.52 %, effective 16.67 %."""
    offer = priced(Decimal("0.12"), Decimal("0.01"), 6)
    assert (round(offer.irr12, 4), offer.effective) == (Decimal("0.1552"), Decimal("0.1667"))
    clamped, said = pricing.capped(offer, Cap(Decimal("0.15"), CapAction.CLAMP), 6)
    assert clamped is not None
    assert (clamped.annual_rate, said) == (Decimal("0.1148"), "rate_clamped")
    assert clamped.irr12 <= Decimal("0.15") < priced(Decimal("0.1149"), Decimal("0.01"), 6).irr12
    assert pricing.capped(offer, Cap(Decimal("0.03"), CapAction.CLAMP), 6) == (None, "above_cap"), "the fee alone is too much"


def test_a_value_below_the_lowest_bin_counts_as_the_lowest() -> None:
    counted = DECIDER.cards["main"].count(DECIDER.complete({"zhima_score": 10, "age": 30}))
    assert counted is not None
    assert (counted[0].points, counted[0].lost, counted[1].bin) == (0, 240, "missing")


@pytest.mark.parametrize(
    "config, found",
    [
        ({"price.table": "gone"}, "price.table is 'gone'"),
        ({"cap.irr": "24 %"}, "cap.irr is '24 %'"),
        ({"cap.irr": "-1"}, "above 0"),
        ({"cap.irr": "0.2", "cap.action": "pray"}, "cap.action"),
    ],
)
def test_a_wrong_policy_is_refused(config: dict[str, str], found: str) -> None:
    with pytest.raises(policy.BadPolicy, match=found):
        policy.load(lambda key, default: config.get(key, default), PACKAGE)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"age": "old"}, "age"),
        ({"age": -1}, "age"),
        ({"age": None}, "age"),
        ({"zhima_score": 951}, "zhima_score: Input should be less than or equal to 950"),
        ({"zhima_score": 700.5}, "zhima_score"),
        ({"pboc_record": "splendid"}, "pboc_record"),
        ({"taobao": {"orders_12m": 1}}, "taobao.spend_12m_fen: Field required"),
        ({"jd": {"orders_12m": -1, "spend_12m_fen": 1}}, "jd.orders_12m"),
        ({"tenant": "A B"}, "tenant"),
        ({"hair": "grey"}, "hair: Extra inputs"),
        ({"scene": "yacht"}, "scene: there is no scene 'yacht'"),
        ({"variables": {"shoe_size": 43}}, "variables.shoe_size: the package in force has no such variable"),
        ({"variables": {"age": 200}}, "variables.age: 200 is above 130"),
        ({"variables": {"pboc_record": 7}}, "variables.pboc_record: 7 is no text"),
        ({"variables": {"zhima_score": 650.5}}, "variables.zhima_score: 650.5 is no integer"),
        ({"variables": {"age": 2**60}}, "variables.age"),
        ({"periods": 0}, "periods"),
        ({"customer_id": ""}, "customer_id"),
    ],
)
def test_bad_questions_are_named(decided: Callable[..., Any], change: dict[str, Any], named: str) -> None:
    refused = decided(MIKE | change)
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
    assert named in refused.body["detail"]


def test_a_tenant_whose_cap_makes_no_sense_is_told_so(decided: Callable[..., Any]) -> None:
    refused = decided(MIKE | {"tenant": "strict"}, {"cap.irr.strict": "lots"})
    assert (refused.status, refused.body["code"]) == (503, "policy_wrong")
    assert "cap.irr.strict is 'lots'" in refused.body["detail"]


def test_the_route_is_described(decided: Callable[..., Any]) -> None:
    described = decided(None, method="GET", path="/openapi.json").body
    schema = described["paths"]["/v1/decisions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/DecisionBody"}
    assert decided(b'{"age": }').body["errors"][0]["field"] == "body"


def test_a_rehearsed_fault_fails_decisions(decided: Callable[..., Any]) -> None:
    with pytest.raises(rehearsal.RehearsedFault, match=r"rehearsal\.error_pct"):
        decided(MIKE, {"rehearsal.error_pct": "100"})
    assert decided(MIKE, {"rehearsal.latency_ms": "1"}).status == 200
