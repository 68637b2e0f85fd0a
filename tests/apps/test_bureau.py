"""The simulated bureaus: the distributions that are documented, the same answer for ever, and bad days on purpose."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import mean, median, stdev
from typing import Any

import pytest

from ctl.kit.identity import Identity
from reference_apps.bureau import people, rehearsal, web
from reference_apps.bureau.rehearsal import Fate

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CUSTOMERS = [f"customer-{number}" for number in range(4_000)]
Ask = Callable[..., Awaitable[Any]]


def known(kind: str) -> list[dict[str, Any]]:
    return [report for customer in CUSTOMERS if (report := people.report(kind, customer, NOW)) is not None]


@pytest.mark.parametrize("kind, unknown", [("zhima", 0.08), ("pboc", 0.18), ("taobao", 0.10), ("jd", 0.25)])
def test_each_bureau_knows_its_share(kind: str, unknown: float) -> None:
    assert 1 - len(known(kind)) / len(CUSTOMERS) == pytest.approx(unknown, abs=0.02)
    oldest = timedelta(days=people.KINDS[kind].oldest_days + 1)
    assert all(timedelta(0) <= NOW - datetime.fromisoformat(each["as_of"]) <= oldest for each in known(kind))


def test_the_distributions_are_those_that_are_documented() -> None:
    scores = [each["score"] for each in known("zhima")]
    assert mean(scores) == pytest.approx(655, abs=4)
    assert stdev(scores) == pytest.approx(62, abs=4)
    records = [each["record"] for each in known("pboc")]
    for record, share in (("bad", 0.04), ("ordinary", 0.46), ("good", 0.50)):
        assert records.count(record) / len(records) == pytest.approx(share, abs=0.03)
    debts = [each["other_debt_fen"] for each in known("pboc")]
    assert debts.count(0) / len(debts) == pytest.approx(0.45, abs=0.03)
    assert median(debt for debt in debts if debt) == pytest.approx(1_800_000, rel=0.1)
    for shop, middle in (("taobao", 350_000), ("jd", 240_000)):
        assert median(each["spend_12m_fen"] for each in known(shop)) == pytest.approx(middle, rel=0.1)
        assert all(each["orders_12m"] >= 1 and 0 < each["spend_12m_fen"] <= 20_000_000 for each in known(shop))


def test_the_bureaus_agree_about_as_much_as_they_should() -> None:
    both = [(zhima, pboc) for each in CUSTOMERS if (zhima := people.report("zhima", each, NOW)) and (pboc := people.report("pboc", each, NOW))]
    by_record = {record: mean(zhima["score"] for zhima, pboc in both if pboc["record"] == record) for record in ("bad", "ordinary", "good")}
    assert by_record["bad"] < by_record["ordinary"] - 15 < by_record["good"] - 40


def app(kind: str, **keys: str) -> Any:
    config = {f"rehearsal.{key}": value for key, value in keys.items()}
    day = rehearsal.load(lambda key, default: config.get(key, default))
    return web.build(Identity.from_environ({"MSXF_SERVICE": f"{kind}-adapter"}), kind, day, lambda: NOW)


def test_the_same_question_has_the_same_answer(ask: Ask) -> None:
    customer = next(each for each in CUSTOMERS if people.report("zhima", each, NOW))
    first, second = (asyncio.run(ask(app("zhima"), "GET", f"/v1/customers/{customer}/score")) for _ in range(2))
    assert (first.status, first.body) == (200, second.body)
    assert first.body == people.report("zhima", customer, NOW)


def test_an_unknown_customer_is_no_error(ask: Ask) -> None:
    customer = next(each for each in CUSTOMERS if people.report("pboc", each, NOW) is None)
    answer = asyncio.run(ask(app("pboc"), "GET", f"/v1/customers/{customer}/credit-record"))
    assert (answer.status, answer.body["code"]) == (404, "customer_unknown")
    assert asyncio.run(ask(app("pboc"), "GET", "/work")).body["bureau"] == "pboc"


def test_bad_days_hit_their_share_and_always_the_same_customers() -> None:
    day = rehearsal.load(lambda key, default: {"rehearsal.hang_pct": "10", "rehearsal.lie_pct": "20", "rehearsal.garbage_pct": "5"}.get(key, default))
    fates = [day.fate(each) for each in CUSTOMERS]
    assert fates == [day.fate(each) for each in CUSTOMERS]
    for fate, share in ((Fate.HANG, 0.10), (Fate.LIE, 0.20), (Fate.GARBAGE, 0.05), (Fate.ERROR, 0.0), (Fate.FINE, 0.65)):
        assert fates.count(fate) / len(fates) == pytest.approx(share, abs=0.02)


def test_a_lie_and_garbage_look_like_it(ask: Ask) -> None:
    customer = next(each for each in CUSTOMERS if people.report("jd", each, NOW))
    lie = asyncio.run(ask(app("jd", lie_pct="100"), "GET", f"/v1/customers/{customer}/shopping"))
    assert lie.status == 200
    assert lie.body != people.report("jd", customer, NOW)
    with pytest.raises(ValueError, match="Expecting value"):
        asyncio.run(ask(app("jd", garbage_pct="100"), "GET", f"/v1/customers/{customer}/shopping"))
    with pytest.raises(web.BureauDown, match="fails for"):
        asyncio.run(ask(app("jd", error_pct="100"), "GET", f"/v1/customers/{customer}/shopping"))


@pytest.mark.parametrize("key, value", [("hang_pct", "101"), ("lie_pct", "many"), ("latency_ms", "-1")])
def test_a_wrong_rehearsal_is_refused(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"rehearsal.{key} is '{value}'"):
        app("jd", **{key: value})
    with pytest.raises(ValueError, match="120 % together"):
        app("jd", hang_pct="60", lie_pct="60")


def test_a_bureau_is_named_or_configured() -> None:
    assert (web.kind_of("zhima-adapter", ""), web.kind_of("sim-7", "jd")) == ("zhima", "jd")
    with pytest.raises(ValueError, match="write one of zhima, pboc, taobao, jd"):
        web.kind_of("oracle", "")
