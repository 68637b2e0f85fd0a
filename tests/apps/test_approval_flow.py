"""How a case moves, as a pure function: the three flows, silence and nonsense, and that nothing is paid out without its checks."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_apps.approval import codec, flow
from reference_apps.approval.flow import Retry
from reference_apps.approval.model import (
    FINAL,
    MANDATORY,
    Case,
    EvidenceSaid,
    FraudSaid,
    LedgerSaid,
    Offer,
    Reason,
    RiskSaid,
    Said,
    Stage,
    Status,
    Unavailable,
    Unusable,
)

RETRY = Retry(attempts=3, first_ms=1_000, longest_ms=1_500)
NOW = 1_000_000
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
WEAK = Reason("age", "young", "年轻")
PASS = RiskSaid(outcome="pass", offer=OFFER, missing=(), reasons=(WEAK,))
LACKS = RiskSaid(outcome="review", offer=OFFER, missing=("taobao", "jd"), reasons=(WEAK,))
FOUND = EvidenceSaid({"taobao": SHOP, "jd": SHOP})
PAID = LedgerSaid("LN1")
AWAY = Unavailable("risk", "silence")


def case(**application: Any) -> Case:
    return Case(id="c1", application=APPLICATION | application, created_ms=NOW, updated_ms=NOW)


def after(begun: Case, *answers: Said) -> Case:
    for said in answers:
        assert begun.status is Status.RUNNING, f"{begun.status} at {begun.stage}: nothing is asked any more"
        begun = flow.advance(begun, said, RETRY, NOW)
    return begun


def test_the_extended_flow_pulls_shopping_data_before_the_decision() -> None:
    waiting_for_data = after(case(), FraudSaid("pass"), LACKS)
    assert (waiting_for_data.stage, flow.risk_question(waiting_for_data)["taobao"]) == (Stage.EVIDENCE, None)
    pulled = after(waiting_for_data, FOUND)
    assert (pulled.stage, flow.risk_question(pulled)["taobao"]) == (Stage.RISK, SHOP)
    approved = after(pulled, PASS)
    assert (approved.stage, approved.amount_fen) == (Stage.DISBURSE, 200_000)
    assert flow.ledger_question(approved) == {
        "reference": "c1", "customer": "jane", "tenant": "default", "principal_fen": 200_000, "annual_rate": "0.25", "periods": 12,
    }  # fmt: skip
    ended = after(approved, PAID)
    assert (ended.status, ended.loan_id, ended.version) == (Status.DISBURSED, "LN1", 6)
    assert ended.passed == (Stage.FRAUD, Stage.EVIDENCE, Stage.RISK, Stage.DISBURSE)


def test_the_other_flows_go_straight_to_the_decision() -> None:
    assert after(case(), FraudSaid("pass"), PASS, PAID).status is Status.DISBURSED


@pytest.mark.parametrize("asked, paid, codes", [(None, 200_000, []), (150_000, 150_000, []), (300_000, 200_000, ["amount_is_limit"])])
def test_the_loan_is_what_was_asked_for_but_never_above_the_limit(asked: int | None, paid: int, codes: list[str]) -> None:
    approved = after(case(amount_fen=asked), FraudSaid("pass"), PASS)
    assert (approved.amount_fen, [reason.code for reason in approved.reasons]) == (paid, codes)


@pytest.mark.parametrize(
    "answers, status, code, resumable",
    [
        ((FraudSaid("block"),), Status.REJECTED, "fraud_block", False),
        ((FraudSaid("review"),), Status.MANUAL, "fraud_review", False),
        ((FraudSaid("step-up"),), Status.MANUAL, "fraud_step-up", False),
        ((FraudSaid("splendid"),), Status.MANUAL, "fraud_unusable", False),
        ((Unusable("fraud", "nonsense"),), Status.MANUAL, "fraud_unusable", False),
        ((Unavailable("fraud", "silence"),), Status.WAITING, "fraud_unavailable", True),
        ((FraudSaid("pass"), replace(PASS, outcome="reject", offer=None)), Status.REJECTED, "age", False),
        ((FraudSaid("pass"), replace(PASS, outcome="review")), Status.MANUAL, "risk_review", False),
        ((FraudSaid("pass"), replace(PASS, offer=None)), Status.MANUAL, "risk_review", False),
        ((FraudSaid("pass"), LACKS, EvidenceSaid({"jd": SHOP})), Status.MANUAL, "evidence_unavailable", True),
        ((FraudSaid("pass"), LACKS, FOUND, LACKS), Status.MANUAL, "risk_review", False),
        ((FraudSaid("pass"), PASS, Unavailable("ledger", "silence")), Status.WAITING, "ledger_unavailable", True),
        ((FraudSaid("pass"), PASS, Unusable("ledger", "it refused")), Status.MANUAL, "ledger_unusable", False),
    ],
)
def test_every_other_answer_parks_or_ends_the_case_with_its_reason(answers: tuple[Said, ...], status: Status, code: str, resumable: bool) -> None:
    parked = after(case(), *answers)
    assert (parked.status, parked.reasons[0].code, parked.resumable, parked.loan_id) == (status, code, resumable, None)
    assert all(reason.en and reason.zh for reason in parked.reasons)


def test_a_service_that_is_away_is_asked_again_with_growing_pauses_and_then_a_person_takes_over() -> None:
    begun, pauses = after(case(), FraudSaid("pass")), []
    for _ in range(2):
        waits = after(begun, AWAY)
        assert waits.status is Status.WAITING
        pauses.append((waits.retry_ms or 0) - NOW)
        begun = flow.retried(waits, NOW)
    assert pauses == [1_000, 1_500]
    given_up = after(begun, AWAY)
    assert (given_up.status, given_up.resumable, given_up.attempts) == (Status.MANUAL, True, 3)
    assert "a person takes over" in given_up.reasons[0].en
    assert flow.resumed(given_up, NOW).attempts == 0
    assert after(begun, PASS).attempts == 0, "an answer forgets the silence before it"


answers = st.one_of(
    st.builds(FraudSaid, st.sampled_from(("pass", "pass", "step-up", "review", "block", "?"))),
    st.builds(
        lambda outcome, offer, missing: RiskSaid(outcome=outcome, offer=offer, missing=missing, reasons=(WEAK,)),
        st.sampled_from(("pass", "pass", "review", "reject", "?")),
        st.sampled_from((OFFER, OFFER, None)),
        st.sampled_from(((), (), ("jd",))),
    ),
    st.builds(lambda shops: EvidenceSaid(dict.fromkeys(shops, SHOP)), st.sets(st.sampled_from(("taobao", "jd")))),
    st.just(PAID),
    st.builds(Unavailable, st.sampled_from(("fraud", "risk", "ledger")), st.just("silence")),
    st.builds(Unusable, st.sampled_from(("fraud", "risk", "ledger")), st.just("nonsense")),
)
BELONGS: dict[Stage, type[Any]] = {Stage.FRAUD: FraudSaid, Stage.RISK: RiskSaid, Stage.EVIDENCE: EvidenceSaid, Stage.DISBURSE: LedgerSaid}


@settings(deadline=None, max_examples=300)
@given(st.lists(answers, max_size=25))
def test_nothing_is_paid_out_without_its_checks_whatever_is_answered(said: list[Said]) -> None:
    begun, passed_fraud, passed_risk = case(), False, False
    for answer in said:
        if begun.status in (Status.WAITING, Status.MANUAL) and begun.resumable:
            begun = flow.resumed(begun, NOW)
        if begun.status is not Status.RUNNING:
            break
        if not isinstance(answer, BELONGS[begun.stage] | Unavailable | Unusable):
            continue
        passed_fraud |= answer == FraudSaid("pass")
        passed_risk |= isinstance(answer, RiskSaid) and (answer.outcome, answer.missing) == ("pass", ()) and answer.offer is not None
        moved = flow.advance(begun, answer, RETRY, NOW)
        assert moved.version == begun.version + 1
        assert codec.decode(codec.encode(moved)) == moved, "what is stored is what is read"
        if moved.stage is Stage.DISBURSE or moved.status is Status.DISBURSED:
            assert passed_fraud
            assert passed_risk
            assert set(moved.passed) >= MANDATORY
        if isinstance(answer, Unavailable | Unusable):
            assert moved.status in (Status.WAITING, Status.MANUAL), "silence and nonsense never approve and never reject"
            assert moved.stage is begun.stage
        begun = moved
    assert begun.loan_id is None or begun.status is Status.DISBURSED
    assert begun.status in FINAL or begun.status is Status.RUNNING or begun.reasons, "who waits is told why"


@pytest.mark.parametrize("stage", list(Stage))
def test_a_case_that_skipped_a_check_cannot_be_paid_out(stage: Stage) -> None:
    cheat = replace(case(), stage=stage, passed=(Stage.RISK,), offer=OFFER, amount_fen=1)
    with pytest.raises(ValueError, match="is not approved"):
        flow.ledger_question(cheat)
    if stage is Stage.RISK:
        assert after(replace(cheat, passed=()), PASS).reasons[0].code == "stage_skipped"
