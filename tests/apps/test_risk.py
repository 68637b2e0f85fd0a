"""Risk: the three customers exactly, better evidence never worse, the cap, and a wrong package or question refused."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.risk import package, policy, pricing, rehearsal, scorecard, web
from reference_apps.risk.decide import decide
from reference_apps.risk.model import Cap, CapAction, Fact, Flow, Offer, Outcome

PACKAGE = package.load()
SHOPPING = {"taobao": {"orders_12m": 40, "spend_12m_fen": 300_000}, "jd": {"orders_12m": 6, "spend_12m_fen": 120_000}}
MIKE = {"application_id": "a1", "customer_id": "mike", "age": 34, "zhima_score": 780, "pboc_record": "good"}
JOHN = {"application_id": "a2", "customer_id": "john", "age": 41, "zhima_score": 650}
JANE = {"application_id": "a3", "customer_id": "jane", "age": 27, "zhima_score": 600, "pboc_record": "none", **SHOPPING}
Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def decided(ask: Ask) -> Callable[..., Any]:
    """Return `decided(body, config)`: the answer of a risk instance with that configuration."""

    def send(body: Any, config: Mapping[str, str] | None = None, method: str = "POST", path: str = "/v1/decisions") -> Any:
        def read(key: str, default: str) -> str:
            return (config or {}).get(key, default)

        return asyncio.run(ask(web.build(PACKAGE, policy.load(read, PACKAGE), rehearsal.load(read)), method, path, body))

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
        "shopping_spend_12m_fen": st.integers(0, 3_000_000),
    }
)
RANK = {"none": 0, "ordinary": 1, "good": 2}


@settings(deadline=None, max_examples=300)
@given(evidence, evidence, st.integers(18, 60), st.sampled_from(sorted(PACKAGE.prices)))
def test_better_evidence_never_gets_less(one: dict[str, Fact], two: dict[str, Fact], age: int, table: str) -> None:
    better: dict[str, Fact] = {
        "zhima_score": max(_number(one["zhima_score"]), _number(two["zhima_score"])),
        "pboc_record": max(str(one["pboc_record"]), str(two["pboc_record"]), key=RANK.__getitem__),
        "shopping_spend_12m_fen": max(_number(one["shopping_spend_12m_fen"]), _number(two["shopping_spend_12m_fen"])),
    }
    shops: dict[str, Fact] = {"age": age, "taobao": 1, "jd": 1}
    low, high = decide(PACKAGE, table, one | shops, None), decide(PACKAGE, table, better | shops, None)
    if low.offer is not None:
        assert high.offer is not None
        assert high.outcome is Outcome.PASS
        assert high.offer.limit_fen >= low.offer.limit_fen
        assert high.offer.annual_rate <= low.offer.annual_rate


def _number(fact: Fact) -> int:
    assert isinstance(fact, int)
    return fact


@settings(deadline=None, max_examples=100)
@given(st.decimals("0.01", "0.60", places=2), st.decimals("0.01", "0.60", places=2), st.sampled_from((CapAction.REFUSE, CapAction.CLAMP)))
def test_no_offer_is_above_the_cap(rate: Decimal, cap: Decimal, action: CapAction) -> None:
    made, said = pricing.capped(Offer(grade="X", limit_fen=1, annual_rate=rate, flow=Flow.NORMAL), Cap(cap, action))
    assert made is None or pricing.irr12(made) <= cap
    assert (made is None or bool(said)) == (rate > cap)


def test_a_value_below_the_lowest_bin_counts_as_the_lowest() -> None:
    counted = scorecard.points(PACKAGE.scorecard, {"zhima_score": 10, "age": 30})
    assert counted is not None
    assert (counted[0].points, counted[0].lost, counted[1].bin) == (0, 240, "missing")




def changed(row: str, **fields: Any) -> Callable[[Any], Any]:
    """Change a row of the standard price table."""
    return lambda tables: tables | {"standard": [each | fields if each["grade"] == row else each for each in tables["standard"]]}


WRONG_PACKAGES = {
    "a better score gets less": ("prices.json", changed("A", limit_fen=100), "rows A and B: the better score gets the lower limit"),
    "a better score pays more": ("prices.json", changed("C", annual_rate="0.05"), "rows B and C: the better score gets the higher rate"),
    "a better score waits longer": ("prices.json", changed("A", flow="extended"), "the better score gets the longer flow"),
    "scores that do not fall": ("prices.json", changed("A", min_score=600), "min_score does not fall"),
    "a rate that is no number": ("prices.json", changed("A", annual_rate="ten"), "cannot be read"),
    "a rate above 1": ("prices.json", changed("C", annual_rate="25"), "the rate from 0 to 1"),
    "evidence nobody can have": ("prices.json", changed("C", requires=["crystal ball"]), "unknown evidence crystal ball"),
    "an empty table": ("prices.json", lambda tables: tables | {"standard": []}, "the table is empty"),
    "points that fall": (
        "scorecard.json",
        lambda card: card | {"characteristics": [each | {"bins": each["bins"][::-1]} for each in card["characteristics"]]},
        "declared monotone, but the points fall",
    ),
    "a rule twice": ("rules.json", lambda rules: rules | {"rules": [*rules["rules"], rules["rules"][0]]}, "rule R01 stands there twice"),
    "a list that is not there": ("rules.json", lambda rules: rules | {"lists": {}}, "no list blacklist"),
    "a reason without words": ("reasons.json", lambda texts: texts | {"too_old": {"en": "too old"}}, "too_old needs a text in en and zh"),
    "no object": ("rules.json", lambda rules: [], "cannot be read"),
}


@pytest.mark.parametrize("name, change, found", WRONG_PACKAGES.values(), ids=WRONG_PACKAGES)
def test_a_wrong_package_is_refused(tmp_path: Path, name: str, change: Callable[[Any], Any], found: str) -> None:
    folder = tmp_path / "package"
    shutil.copytree(package.HERE, folder)
    assert package.load(folder).hash == PACKAGE.hash
    (folder / name).write_text(json.dumps(change(json.loads((folder / name).read_text()))))
    with pytest.raises(package.BadPackage, match=found):
        package.load(folder)


def test_the_hash_names_the_content(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    shutil.copytree(package.HERE, folder)
    (folder / "prices.json").write_text((folder / "prices.json").read_text().replace("500000", "500001"))
    assert package.load(folder).hash != PACKAGE.hash
    (folder / "rules.json").unlink()
    with pytest.raises(package.BadPackage, match="cannot be read: FileNotFoundError"):
        package.load(folder)


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
        ({"periods": 0}, "periods"),
        ({"customer_id": ""}, "customer_id"),
    ],
)
def test_bad_questions_are_named(decided: Callable[..., Any], change: dict[str, Any], named: str) -> None:
    refused = decided(MIKE | change)
    assert (refused.status, refused.headers["content-type"]) == (422, "application/problem+json")
    assert named in refused.body["detail"]


def test_a_rehearsed_fault_fails_decisions(decided: Callable[..., Any]) -> None:
    with pytest.raises(rehearsal.RehearsedFault, match=r"rehearsal\.error_pct"):
        decided(MIKE, {"rehearsal.error_pct": "100"})
    assert decided(MIKE, {"rehearsal.latency_ms": "1"}).status == 200
