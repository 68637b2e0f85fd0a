"""How a case moves, as a pure function: the three profiles, silence and nonsense, people, supplements, and that nothing is paid out without its checks."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.approval import codec
from reference_apps.approval.flow import advance, questions
from reference_apps.approval.flow.advance import Refused, Retry
from reference_apps.approval.flow.model import MANDATORY, Check, Kind, Outcome
from reference_apps.approval.flow.standing import BEGUN, Standing
from reference_apps.approval.model import (
    FINAL,
    Case,
    FraudSaid,
    IdentitySaid,
    Judgement,
    LedgerSaid,
    Offer,
    Pulled,
    Reason,
    RiskSaid,
    Said,
    Status,
    StillPriced,
    Trod,
    Unavailable,
    Unusable,
)
from reference_apps.approval.published import bundled

LOAN = bundled()[0]
RETRY = Retry(attempts=3, first_ms=1_000, longest_ms=1_500)
NOW = 1_000_000
DAY_MS = 86_400_000
APPLICATION: dict[str, Any] = {
    "customer": {"id": "jane", "name": "Jane", "age": 27, "phone": "13800000003"},
    "device": "d",
    "contacts": [],
    "amount_fen": None,
    "periods": 12,
    "evidence": {"zhima_score": 600, "pboc_record": "none", "taobao": None, "jd": None},
    "other_debt_fen": 0,
    "consent": True,
    "tenant": "default",
}
SHOP = {"orders_12m": 3, "spend_12m_fen": 100}
OFFER = Offer(limit_fen=200_000, annual_rate="0.25", flow="extended", grade="C")
FAST = replace(OFFER, flow="fast")
WEAK = Reason("age", "young", "年轻")
CLEAN = FraudSaid("pass")
PASS = RiskSaid(outcome="pass", offer=OFFER, missing=(), reasons=(WEAK,))
LACKS = RiskSaid(outcome="review", offer=OFFER, missing=("taobao", "jd"), reasons=(WEAK,))
DOUBTS = replace(PASS, outcome="review")
TAOBAO, JD = Pulled("taobao", SHOP), Pulled("jd", SHOP)
PAID = LedgerSaid("LN1")
AWAY = Unavailable("risk", "silence")


def case(**application: Any) -> Case:
    return advance.begun(LOAN, "c1", APPLICATION | application, NOW)


def after(begun: Case, *said: Said | Judgement) -> Case:
    for each in said:
        if isinstance(each, Judgement):
            begun = advance.judged(LOAN, begun, each, NOW)
            continue
        assert begun.status is Status.RUNNING, f"{begun.status} at {begun.stage}: nothing is asked any more"
        begun = advance.advance(LOAN, begun, each, RETRY, NOW)
    return begun


def by(person: str, outcome: Outcome = Outcome.APPROVE) -> Judgement:
    return Judgement(person=person, outcome=outcome)


def test_the_extended_profile_pulls_shopping_data_before_the_decision() -> None:
    waiting_for_data = after(case(), CLEAN, LACKS)
    assert (waiting_for_data.stage, questions.risk_question(waiting_for_data)["taobao"]) == ("taobao", None)
    pulled = after(waiting_for_data, TAOBAO, JD)
    assert (pulled.stage, questions.risk_question(pulled)["taobao"]) == ("risk", SHOP)
    approved = after(pulled, PASS)
    assert (approved.stage, approved.amount_fen) == ("disburse", 200_000)
    assert questions.owed(LOAN, approved) == {
        "reference": "c1", "customer": "jane", "tenant": "default", "principal_fen": 200_000, "annual_rate": "0.25", "periods": 12,
    }  # fmt: skip
    ended = after(approved, PAID)
    assert (ended.status, ended.loan_id, ended.version) == (Status.DISBURSED, "LN1", 7)
    assert ended.passed == ("fraud", "taobao", "jd", "risk", "disburse")


@pytest.mark.parametrize("profile", ["fast", "normal"])
def test_the_other_profiles_go_straight_to_the_decision(profile: str) -> None:
    ended = after(case(), CLEAN, replace(PASS, offer=replace(OFFER, flow=profile)), PAID)
    assert (ended.status, ended.profile) == (Status.DISBURSED, profile)


def test_a_profile_skips_optional_stages() -> None:
    fast = after(case(), CLEAN, replace(LACKS, offer=FAST, missing=("pboc_record", "jd")), Pulled("pboc_record", "good"))
    assert (fast.stage, fast.trail[-1].stage) == ("risk", "bureau"), "taobao and jd are passed through"
    assert questions.risk_question(fast)["pboc_record"] == "good"


@pytest.mark.parametrize("asked, paid, codes", [(None, 200_000, []), (150_000, 150_000, []), (300_000, 200_000, ["amount_is_limit"])])
def test_the_loan_is_what_was_asked_for_but_never_above_the_limit(asked: int | None, paid: int, codes: list[str]) -> None:
    approved = after(case(amount_fen=asked), CLEAN, PASS)
    assert (approved.amount_fen, [reason.code for reason in approved.reasons]) == (paid, codes)


@pytest.mark.parametrize(
    "said, status, stage, code, resumable",
    [
        ((FraudSaid("block"),), Status.REJECTED, "done", "fraud_block", False),
        ((FraudSaid("review"),), Status.MANUAL, "fraud_review", "fraud_review", False),
        ((FraudSaid("step-up"),), Status.MANUAL, "fraud_review", "fraud_step-up", False),
        ((FraudSaid("splendid"),), Status.MANUAL, "trouble", "fraud_unusable", False),
        ((Unusable("fraud", "nonsense"),), Status.MANUAL, "trouble", "fraud_unusable", False),
        ((Unavailable("fraud", "silence"),), Status.WAITING, "fraud", "fraud_unavailable", True),
        ((CLEAN, replace(PASS, outcome="reject", offer=None)), Status.REJECTED, "done", "age", False),
        ((CLEAN, DOUBTS), Status.MANUAL, "first_review", "risk_review", False),
        ((CLEAN, replace(PASS, offer=None)), Status.MANUAL, "first_review", "risk_review", False),
        ((CLEAN, replace(PASS, offer=replace(OFFER, flow="royal"))), Status.MANUAL, "trouble", "risk_unusable", False),
        ((CLEAN, LACKS, Pulled("taobao", None)), Status.MANUAL, "trouble", "evidence_unavailable", True),
        ((CLEAN, LACKS, TAOBAO, JD, LACKS), Status.MANUAL, "first_review", "risk_review", False),
        ((CLEAN, PASS, Unavailable("ledger", "silence")), Status.WAITING, "disburse", "ledger_unavailable", True),
        ((CLEAN, PASS, Unusable("ledger", "it refused")), Status.MANUAL, "payout_trouble", "ledger_unusable", False),
    ],
)
def test_every_other_answer_parks_or_ends_the_case_with_its_reason(said: tuple[Said, ...], status: Status, stage: str, code: str, resumable: bool) -> None:
    parked = after(case(), *said)
    assert (parked.status, parked.stage, parked.reasons[0].code, parked.resumable, parked.loan_id) == (status, stage, code, resumable, None)
    assert all(reason.en and reason.zh for reason in parked.reasons)


def test_a_service_that_is_away_is_asked_again_with_growing_pauses_and_then_a_person_takes_over() -> None:
    begun, pauses = after(case(), CLEAN), []
    for _ in range(2):
        waits = after(begun, AWAY)
        assert waits.status is Status.WAITING
        pauses.append((waits.retry_ms or 0) - NOW)
        begun = advance.woken(LOAN, waits, NOW)
    assert pauses == [1_000, 1_500]
    given_up = after(begun, AWAY)
    assert (given_up.status, given_up.stage, given_up.resumable) == (Status.MANUAL, "trouble", True)
    assert "a person takes over" in given_up.reasons[0].en
    resumed = advance.resumed(LOAN, given_up, NOW)
    assert (resumed.stage, resumed.attempts) == ("risk", 0)
    assert advance.resumed(LOAN, resumed, NOW) is resumed, "what runs is left alone"
    assert after(given_up, by("ops")).stage == "risk", "a person of operations sends it back to where it failed"
    assert after(begun, PASS).attempts == 0, "an answer forgets the silence before it"


def test_what_was_held_back_by_the_budget_costs_no_attempt() -> None:
    begun = after(case(), CLEAN)
    for _ in range(10):
        waits = after(begun, replace(AWAY, counts=False))
        assert (waits.status, waits.attempts) == (Status.WAITING, 0)
        begun = advance.woken(LOAN, waits, NOW)


def test_two_people_clear_what_risk_doubts_and_the_loan_is_what_was_priced() -> None:
    first = after(case(), CLEAN, DOUBTS)
    assert (first.stage, first.status) == ("first_review", Status.MANUAL)
    second = after(first, by("ann"))
    assert (second.stage, advance.barred(LOAN, second)) == ("recheck", {"ann"})
    with pytest.raises(Refused, match="ann has acted") as refused:
        after(second, by("ann"))
    assert refused.value.code == "four_eyes"
    priced = after(second, by("bob"))
    assert (priced.stage, priced.status) == ("pricing", Status.RUNNING)
    approved = after(priced, StillPriced())
    assert (approved.stage, approved.amount_fen, approved.standing.settled) == ("disburse", OFFER.limit_fen, MANDATORY)
    assert [(each.stage, each.person) for each in approved.judgements] == [("first_review", "ann"), ("recheck", "bob")]


def test_whoever_rechecked_may_review_first_and_whoever_reviewed_first_may_not_recheck_later() -> None:
    second = after(case(), CLEAN, DOUBTS, by("ann"), by("bob", Outcome.RETURN))
    assert second.stage == "first_review"
    again = after(second, by("bob"))
    assert advance.barred(LOAN, again) == {"ann", "bob"}
    assert after(again, by("cid")).stage == "pricing"


def test_without_an_offer_two_people_approve_and_nothing_is_paid() -> None:
    nothing = after(case(), CLEAN, replace(DOUBTS, offer=None), by("ann"), by("bob"))
    assert nothing.stage == "pricing"
    assert after(nothing, replace(DOUBTS, offer=None)).stage == "first_review"
    assert after(nothing, StillPriced()).stage == "first_review", "an offer that never was still stands for nothing"


def test_people_reject_and_only_where_they_are_asked() -> None:
    review = after(case(), FraudSaid("review"))
    rejected = after(review, by("ann", Outcome.REJECT))
    assert (rejected.status, rejected.reasons[0].code) == (Status.REJECTED, "person_rejected")
    for stands in (rejected, case(), after(case(), CLEAN, PASS)):
        with pytest.raises(Refused, match="waits for no person"):
            after(stands, by("bob"))
    with pytest.raises(Refused, match="payout_trouble knows approve, not reject"):
        after(case(), CLEAN, PASS, Unusable("ledger", "?"), by("ann", Outcome.REJECT))


def asked_for_more() -> Case:
    return after(case(), CLEAN, DOUBTS, by("ann", Outcome.RETURN))


def brought(stands: Case, **evidence: Any) -> Case:
    application = {**stands.application, "evidence": {**stands.application["evidence"], **evidence}}
    return advance.supplied(LOAN, stands, application, NOW)


def test_a_supplement_opens_the_decision_again_and_three_are_enough() -> None:
    stands = asked_for_more()
    for number in range(3):
        assert (stands.stage, stands.status, stands.retry_ms) == ("supplement", Status.WAITING, NOW + 14 * DAY_MS)
        stands = brought(stands, zhima_score=700 + number)
        assert (stands.stage, stands.standing.settled) == ("risk", BEGUN | {Check.FRAUD})
        stands = after(stands, DOUBTS, by("ann", Outcome.RETURN))
    assert (stands.status, stands.reasons[-1].code) == (Status.REJECTED, "supplements_exhausted")


def test_a_supplement_changes_the_price_and_never_meets_the_old_one() -> None:
    pulled = after(case(), CLEAN, LACKS, TAOBAO, JD, DOUBTS, by("ann", Outcome.RETURN))
    fresh = brought(pulled, taobao=SHOP)
    assert (fresh.evidence, fresh.priced == fresh.inputs) == ({}, False)
    assert after(fresh, LACKS).stage == "taobao", "what is bounded to once is open again after a supplement"


def test_what_is_not_asked_for_cannot_be_brought_and_what_is_late_ends_the_case() -> None:
    for stands in (case(), after(case(), CLEAN, DOUBTS)):
        with pytest.raises(Refused, match="nothing is asked for"):
            brought(stands)
    late = advance.woken(LOAN, asked_for_more(), NOW + 14 * DAY_MS)
    assert (late.status, late.reasons[0].code) == (Status.REJECTED, "supplement_expired")


def test_time_in_a_case_never_runs_backwards() -> None:
    moved = advance.advance(LOAN, case(), CLEAN, RETRY, NOW - 5_000)
    assert moved.updated_ms == NOW


def test_identity_where_a_flow_has_it() -> None:
    edges = {**LOAN.stages["risk"].edges, Outcome.PASS: LOAN.stages["fraud"].edges[Outcome.PASS]}
    stage = replace(LOAN.stages["fraud"], name="who", kind=Kind.IDENTITY, edges=edges)
    flow = replace(LOAN, start="who", stages={"who": stage, **LOAN.stages})
    assert flow.mandatory == MANDATORY | {Check.IDENTITY}
    assert advance.advance(flow, replace(case(), stage="who"), IdentitySaid("pass"), RETRY, NOW).standing.settled == BEGUN | {Check.IDENTITY}
    assert advance.advance(flow, replace(case(), stage="who"), IdentitySaid("block"), RETRY, NOW).status is Status.REJECTED


answers = st.one_of(
    st.builds(FraudSaid, st.sampled_from(("pass", "pass", "step-up", "review", "block", "?"))),
    st.builds(
        lambda outcome, offer, missing: RiskSaid(outcome=outcome, offer=offer, missing=missing, reasons=(WEAK,)),
        st.sampled_from(("pass", "pass", "review", "reject", "?")),
        st.sampled_from((OFFER, FAST, None)),
        st.sampled_from(((), (), ("jd",), ("pboc_record",))),
    ),
    st.builds(Pulled, st.sampled_from(("taobao", "jd", "pboc_record")), st.sampled_from((SHOP, None))),
    st.just(StillPriced()),
    st.just(PAID),
    st.builds(Unavailable, st.sampled_from(("fraud", "risk", "ledger")), st.just("silence"), st.booleans()),
    st.builds(Unusable, st.sampled_from(("fraud", "risk", "ledger")), st.just("nonsense")),
)
deeds = st.one_of(
    answers,
    answers,
    st.builds(by, st.sampled_from(("ann", "bob", "cid")), st.sampled_from((Outcome.APPROVE, Outcome.APPROVE, Outcome.REJECT, Outcome.RETURN))),
    st.sampled_from(("resume", "supply", "wake")),
)
BELONGS: dict[Kind, tuple[type[Any], ...]] = {
    Kind.FRAUD: (FraudSaid,), Kind.RISK: (RiskSaid,), Kind.PRICING: (RiskSaid, StillPriced), Kind.DISBURSE: (LedgerSaid,),
    Kind.BUREAU: (Pulled,), Kind.TAOBAO: (Pulled,), Kind.JD: (Pulled,),
}  # fmt: skip


def done(stands: Case, deed: Any) -> Case | None:
    """Return the case after a deed, None when it cannot be done there."""
    kind = LOAN.stages[stands.stage].kind
    match deed:
        case Judgement():
            return advance.judged(LOAN, stands, deed, NOW)
        case "resume":
            return advance.resumed(LOAN, stands, NOW) if stands.status is not Status.RUNNING else None
        case "supply":
            return brought(stands)
        case "wake":
            return advance.woken(LOAN, stands, NOW) if stands.status is Status.WAITING else None
        case _:
            fits = stands.status is Status.RUNNING and isinstance(deed, (*BELONGS.get(kind, ()), Unavailable, Unusable))
            return advance.advance(LOAN, stands, deed, RETRY, NOW) if fits else None


@settings(deadline=None, max_examples=300)
@given(st.lists(deeds, max_size=45))
def test_nothing_is_approved_without_its_checks_whatever_happens_in_whatever_order(said: list[Any]) -> None:
    begun, fraud, risk, payouts = case(), False, False, 0
    for deed in said:
        if begun.status in FINAL:
            break
        try:
            moved = done(begun, deed)
        except Refused:
            continue
        if moved is None:
            continue
        assert moved.version > begun.version
        assert codec.decode(codec.encode(moved)) == moved, "what is stored is what is read"
        kind = LOAN.stages[begun.stage].kind
        if isinstance(deed, FraudSaid):
            fraud = deed.verdict == "pass"
        if isinstance(deed, RiskSaid):
            risk = (deed.outcome, deed.missing) == ("pass", ()) and deed.offer is not None
        if isinstance(deed, Judgement) and begun.stage in ("fraud_recheck", "recheck") and deed.outcome is Outcome.APPROVE:
            first = {"fraud_recheck": "fraud_review", "recheck": "first_review"}[begun.stage]
            assert any(each.stage == first and each.person != deed.person for each in begun.judgements), "two different people"
            fraud, risk = fraud or begun.stage == "fraud_recheck", risk or begun.stage == "recheck"
        if deed == "supply":
            risk = False
        if moved.status is Status.RUNNING and moved.stage == "disburse" and begun.stage != "disburse":
            assert fraud
            assert risk
            assert moved.standing.settled >= MANDATORY
            assert moved.offer is not None
            assert (moved.amount_fen or 0) <= moved.offer.limit_fen
        payouts += moved.status is Status.DISBURSED
        if isinstance(deed, Unavailable | Unusable):
            assert moved.status in (Status.WAITING, Status.MANUAL), "silence and nonsense never approve and never reject"
        if isinstance(deed, Pulled) and deed.found is None:
            assert moved.status is Status.MANUAL, "missing data are for people"
        if kind is Kind.DISBURSE and begun.status is Status.RUNNING:
            assert moved.status is Status.DISBURSED or moved.stage in ("disburse", "payout_trouble"), "money may be on its way"
        begun = moved
    assert payouts == (begun.status is Status.DISBURSED)
    assert begun.standing.supplements <= 3
    assert begun.status in FINAL or begun.status is Status.RUNNING or begun.reasons or begun.judgements, "who waits is told why"


@pytest.mark.parametrize("settled", [BEGUN, MANDATORY - {Check.FRAUD}, MANDATORY - {Check.RATE_CAP}, frozenset[Check]()])
def test_a_case_that_skipped_a_check_cannot_be_paid_out(settled: frozenset[Check]) -> None:
    cheat = replace(case(), stage="disburse", standing=Standing(settled=settled), offer=OFFER, amount_fen=1, priced=0)
    with pytest.raises(ValueError, match="is not approved"):
        questions.ledger_question(LOAN, cheat)
    assert questions.owed(LOAN, cheat) is None
    smuggled = replace(cheat, stage="risk", standing=Standing(settled=settled - {Check.FRAUD}))
    stopped = advance.advance(LOAN, smuggled, PASS, RETRY, NOW)
    assert (stopped.status, stopped.stage, stopped.reasons[0].code) == (Status.MANUAL, "payout_trouble", "stage_skipped"), "where people look"
    assert not stopped.standing.paying, "nothing was asked of the ledger"
    assert stopped.trail[-1] == Trod("disburse", Outcome.ERROR)
    again = advance.judged(LOAN, stopped, Judgement(person="pay", outcome=Outcome.APPROVE), NOW)
    assert (again.stage, again.status, again.entered) == ("payout_trouble", Status.MANUAL, stopped.version + 1), "no repair stands in for a check"
    assert advance.sent_to_repair(LOAN, stopped, NOW) is stopped


def test_cases_of_before_there_were_flows_are_read_where_they_stood() -> None:
    old = (
        '{"amount_fen":200000,"application":{"amount_fen":null},"attempts":2,"created_ms":1,"evidence":{"jd":{}},"id":"c1","loan_id":null,'
        '"offer":{"limit_fen":200000,"annual_rate":"0.25","flow":"extended","grade":"C"},"passed":["fraud","evidence","risk"],"reasons":[],'
        '"resumable":true,"retry_ms":9,"stage":"disburse","status":"waiting","updated_ms":2,"version":5}'
    )
    read = codec.decode(old)
    assert (read.stage, read.status, read.standing.settled, read.priced == read.inputs) == ("disburse", Status.WAITING, MANDATORY, True)
    assert read.trail == (Trod("fraud", Outcome.PASS), Trod("taobao", Outcome.PASS), Trod("risk", Outcome.PASS))
    woken = advance.woken(LOAN, read, NOW)
    assert advance.is_approved(LOAN, woken)
    ended = advance.advance(LOAN, woken, PAID, RETRY, NOW)
    assert codec.decode(codec.encode(ended)) == ended
