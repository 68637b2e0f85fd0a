"""Variables and bureaus: whose word counts, what is too old, and what silence, lies and nonsense lead to: never a crash, never a pass in silence."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ctl.kit.calls import Answer
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce
from reference_apps.risk.packages import reading
from reference_apps.risk.variables import bureaus, resolving
from reference_apps.risk.variables.resolving import Answered, Failed
from tests.apps import risk_made
from tests.apps.conftest import Fleet
from tests.apps.risk_desk import JANE, MIKE, NOW, SHOPPING, Said, app, on_desk, silence

SHIPPED = Decider(reading.read())
Ask = Callable[..., Awaitable[Any]]


def zhima(score: int = 780, who: str = "mike", days: int = 1) -> dict[str, Any]:
    return {"customer_id": who, "as_of": (NOW - timedelta(days=days)).isoformat(), "score": score}


def pboc(record: str = "good", who: str = "mike", **more: Any) -> dict[str, Any]:
    return {"customer_id": who, "as_of": NOW.isoformat(), "record": record, **more}


def shop(spend: int = 300_000, who: str = "jane") -> dict[str, Any]:
    return {"customer_id": who, "as_of": NOW.isoformat(), "orders_12m": 5, "spend_12m_fen": spend}


UNKNOWN = Answer(404, {"code": "customer_unknown"}, {})


@pytest.fixture
def decided(ask: Ask, tmp_path: Path) -> Callable[..., Any]:
    """Return `decided(body, zhima=..., ...)`: the answer where these bureaus are configured and say this."""

    def send(body: dict[str, Any], **said: Any) -> Any:
        calls = Said(**said)

        async def work(desk: Desk) -> Any:
            return (await ask(app(desk), "POST", "/v1/decisions", body)).body, calls.asked

        return on_desk(tmp_path, InForce(SHIPPED), work, calls)

    return send


def test_a_bureau_has_the_word_over_what_is_declared(decided: Callable[..., Any]) -> None:
    made, asked = decided(MIKE, zhima=zhima(650))
    assert asked == [("zhima", "/v1/customers/mike/score")]
    assert made["variables"]["zhima_score"] == {"value": 650, "from": "zhima", "as_of": zhima()["as_of"]}
    assert made["offer"]["grade"] == "B", "Mike declares 780, Zhima says 650"


def test_a_bureau_that_knows_nothing_has_the_word_too(decided: Callable[..., Any]) -> None:
    made, _ = decided(MIKE, zhima=UNKNOWN)
    assert (made["outcome"], made["score"], made["reasons"][0]["code"]) == ("review", None, "no_score")
    made, _ = decided(MIKE, pboc=UNKNOWN)
    assert (made["variables"]["pboc_record"]["value"], made["segment"]) == ("none", "thin"), "no record at the central bank is a record of none"


def test_what_only_the_bureau_knows_counts(decided: Callable[..., Any]) -> None:
    made, _ = decided(MIKE, pboc=pboc(other_debt_fen=20_000_001))
    assert (made["outcome"], made["rules_hit"]) == ("reject", ["R05"])


FAULTS: dict[str, tuple[Any, str]] = {
    "hangs": (silence("zhima"), "zhima: silence for 1 s"),
    "fails": (Answer(500, {"detail": "no"}, {}), "zhima: it answered 500"),
    "is lost": (Answer(404, "not found", {}), "zhima: it answered 404"),
    "speaks of somebody else": (zhima(who="john"), "zhima: its answer is about somebody else"),
    "has a score out of this world": (zhima(2_000), "zhima: its answer makes no sense: score"),
    "has a score in words": (zhima() | {"score": "780"}, "zhima: its answer makes no sense: score"),
    "says nothing": (Answer(200, None, {}), "zhima: its answer makes no sense"),
    "talks HTML": (Answer(200, "<html>", {}), "zhima: its answer makes no sense"),
    "comes from the future": (zhima(days=-2), "which is yet to come"),
    "is out of date": (zhima(days=40), "its answer is 40 days old"),
    "has no time": ({"customer_id": "mike", "score": 780}, "as_of: Field required"),
}


@pytest.mark.parametrize("said, why", FAULTS.values(), ids=FAULTS)
def test_a_bureau_that_cannot_be_used_leads_to_a_person(decided: Callable[..., Any], said: Any, why: str) -> None:
    made, _ = decided(MIKE, zhima=said)
    assert why in made["failed_sources"]["zhima_score"]
    assert (made["outcome"], made["reasons"][0]["code"]) == ("review", "source_failed")
    assert (made["offer"]["grade"], made["variables"]["zhima_score"]["from"]) == ("A", "declared"), "what was declared says what it would be"
    without = {name: value for name, value in MIKE.items() if name != "zhima_score"}
    made, _ = decided(without, zhima=said)
    assert (made["outcome"], made["offer"], made["reasons"][0]["code"]) == ("review", None, "no_score")


def test_shops_are_asked_only_where_the_flow_needs_them(decided: Callable[..., Any]) -> None:
    made, asked = decided(MIKE, taobao=shop(), jd=shop())
    assert (made["outcome"], made["offer"]["flow"], asked) == ("pass", "fast", [])
    made, asked = decided(JANE, taobao=shop(), jd=shop(120_000))
    assert sorted(service for service, _ in asked) == ["jd", "taobao"]
    assert (made["outcome"], made["offer"]["grade"], made["missing_evidence"]) == ("pass", "C", [])
    assert made["variables"]["taobao"]["from"] == "taobao"


def test_a_shop_that_fails_leaves_the_extended_flow_without_its_evidence(decided: Callable[..., Any]) -> None:
    made, _ = decided(JANE, taobao=shop(), jd=silence("jd"))
    assert (made["outcome"], made["missing_evidence"], made["offer"]["flow"]) == ("review", ["jd"], "extended")
    assert "silence" in made["failed_sources"]["jd"]
    made, asked = decided(JANE | SHOPPING, taobao=silence("taobao"), jd=silence("jd"))
    assert (made["outcome"], asked) == ("pass", []), "both are declared, and nobody needs to be asked"


def test_all_bureaus_down_at_once_is_an_answer_too(decided: Callable[..., Any]) -> None:
    down = {name: silence(name) for name in bureaus.BUREAUS}
    made, _ = decided({"application_id": "a", "customer_id": "x", "age": 30}, **down)
    assert (made["outcome"], made["offer"]) == ("review", None)
    assert set(made["failed_sources"]) == {"zhima_score", "pboc_record", "other_debt_fen"}


def test_a_bureau_that_is_silent_time_after_time_is_left_alone_for_a_while() -> None:
    clock_s, calls = [0.0], Said(zhima=silence("zhima"))
    made = bureaus.Bureaus(calls, {"zhima": "zhima"}, {"zhima": 1.0}, lambda: clock_s[0])

    def ask() -> Any:
        return asyncio.run(made.ask(frozenset({"zhima"}), "mike", NOW))["zhima"]

    said = [ask() for _ in range(12)]
    assert len(calls.asked) == 8
    assert all(isinstance(each, Failed) for each in said)
    assert "it has failed too often; it is asked again in 1.0 s" in said[-1].why
    clock_s[0], calls.said["zhima"] = 1.5, zhima()
    assert isinstance(ask(), Answered)
    assert isinstance(ask(), Answered)
    assert len(calls.asked) == 10


def test_a_source_order_may_put_the_applicant_first() -> None:
    made = risk_made.documents()
    variable = next(each for each in made["variables.json"]["variables"] if each["name"] == "zhima_score")
    variable["sources"].reverse()
    package = risk_made.parsed(made)
    said = {"zhima": Answered({"score": 500}, NOW)}
    assert resolving.wanted(package, {"zhima_score": 700}) & {"zhima"} == set()
    assert resolving.resolve(package, {"zhima_score": 700}, said, NOW).facts["zhima_score"] == 700
    assert resolving.resolve(package, {}, said, NOW).facts["zhima_score"] == 500


def test_a_failure_stays_with_the_decision_though_a_later_source_knows() -> None:
    resolved = resolving.resolve(SHIPPED.package, {"zhima_score": 700}, {"zhima": Failed("silence")}, NOW)
    assert (resolved.facts["zhima_score"], resolved.failed) == (700, {"zhima_score": "zhima: silence"})
    assert resolving.resolve(SHIPPED.package, {"zhima_score": 700}, {}, NOW).failed == {}, "nobody configured it: it does not exist here"


def test_a_customers_name_cannot_lead_elsewhere(decided: Callable[..., Any]) -> None:
    _, asked = decided(MIKE | {"customer_id": "../../admin?x=1"}, zhima=zhima())
    assert asked == [("zhima", "/v1/customers/..%2F..%2Fadmin%3Fx%3D1/score")]


def test_declared_answers_fit_what_the_body_takes() -> None:
    body = DecisionBody(**MIKE, variables={"zhima_score": 700})
    assert body.declared()["zhima_score"] == 700, "variables come before the body's own fields"


def test_a_real_bureau_that_hangs_lies_and_talks_nonsense_never_lets_anybody_pass_in_silence(fleet: Fleet) -> None:
    bad = {"REHEARSAL_HANG_PCT": "8", "REHEARSAL_HANG_S": "1", "REHEARSAL_LIE_PCT": "20", "REHEARSAL_GARBAGE_PCT": "20", "REHEARSAL_ERROR_PCT": "10"}
    bureau = fleet.begin("bureau", BUREAU_KIND="zhima", **bad)
    risk = fleet.begin("risk", BUREAU_ZHIMA="bureau", TIMEOUT_ZHIMA_S="0.3")
    fleet.ready(bureau, risk)
    made = [fleet.ask("POST", "/risk/v1/decisions", MIKE | {"application_id": f"a{at}", "customer_id": f"customer-{at}"}) for at in range(80)]
    assert {each.status for each in made} == {200}
    failed = [each.body for each in made if each.body["failed_sources"]]
    assert 20 < len(failed) < 70
    assert {each["outcome"] for each in failed} == {"review"}
    assert {each["variables"]["zhima_score"]["from"] for each in failed} == {"declared"}
    asked = [each.body for each in made if not each.body["failed_sources"]]
    assert {each["variables"]["zhima_score"]["from"] for each in asked if "zhima_score" in each["variables"]} == {"zhima"}
