"""How a case moves through its flow: what an answer, a person, a supplement or the clock does to it. Pure: the time is an argument.

A case moves along the edge of its stage's outcome and nowhere else. A payout is entered only with everything mandatory behind it, whatever the flow says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reference_apps.approval import words
from reference_apps.approval.flow import conditions
from reference_apps.approval.flow.conditions import Unclear
from reference_apps.approval.flow.hearing import Heard, heard
from reference_apps.approval.flow.model import BACK, DONE, PULLS, REJECTED, Flow, Kind, Outcome, Stage
from reference_apps.approval.flow.standing import Standing, after, is_open, lacks, taking
from reference_apps.approval.model import DONE as ENDED
from reference_apps.approval.model import Case, Judged, Judgement, Reason, Said, Status, Trod, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a service that cannot be had is asked, and how long apart: doubling from `first_ms` to `longest_ms`."""

    attempts: int = 8
    first_ms: int = 1_000
    longest_ms: int = 30_000

    def pause_ms(self, attempt: int) -> int:
        return int(min(self.longest_ms, self.first_ms * 2 ** min(attempt - 1, 30)))


class Refused(Exception):
    """Somebody may not do this to this case; `code` is for programs."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def begun(flow: Flow, case_id: str, application: Mapping[str, Any], now_ms: int) -> Case:
    """Return a new case at the start of a flow."""
    profile = flow.default_profile
    return Case(id=case_id, application=application, flow=flow.id, stage=flow.start, profile=profile, created_ms=now_ms, updated_ms=now_ms)


def advance(flow: Flow, case: Case, said: Said, retry: Retry, now_ms: int) -> Case:
    """Return the case after an answer to what its stage asked; always one version further."""
    stage = flow.stages[case.stage]
    if isinstance(said, Unavailable) and case.attempts + said.counts < (stage.attempts or retry.attempts):
        attempts = case.attempts + said.counts
        reason = words.unavailable(said.service, said.why, gave_up=False)
        due_ms = now_ms + retry.pause_ms(max(attempts, 1))
        return _next(case.but(status=Status.WAITING, resumable=True, reasons=(reason,), attempts=attempts, retry_ms=due_ms), now_ms)
    return moved(flow, case, heard(flow, case, said), now_ms)


def judged(flow: Flow, case: Case, judgement: Judgement, now_ms: int) -> Case:
    """Return the case after a person's decision. Raises Refused: nobody decides here, this outcome has no edge, or this person acted before."""
    stage = flow.stages.get(case.stage)
    if stage is None or not stage.is_manual or case.status is not Status.MANUAL:
        raise Refused("not_manual", f"application {case.id} is at {case.stage} and waits for no person")
    if judgement.outcome not in stage.edges:
        raise Refused("unknown_outcome", f"{stage.name} knows {', '.join(stage.edges)}, not {judgement.outcome}")
    if judgement.person in barred(flow, case):
        raise Refused("four_eyes", f"{judgement.person} has acted on application {case.id} before; {stage.name} needs another person")
    entry = Judged(stage=stage.name, person=judgement.person, outcome=judgement.outcome, at_ms=now_ms, entered=case.entered)
    reasons = (words.reason("person_rejected"),) if judgement.outcome is Outcome.REJECT else ()
    return moved(flow, case, Heard(judgement.outcome, reasons, {"judgements": (*case.judgements, entry)}), now_ms)


def barred(flow: Flow, case: Case) -> frozenset[str]:
    """Return who must not decide where the case stands: where four eyes are needed, whoever has judged it at another review."""
    stage = flow.stages.get(case.stage)
    if stage is None or not stage.four_eyes_with:
        return frozenset()
    others = {name for name, other in flow.stages.items() if other.kind is Kind.REVIEW} - {stage.name}
    return frozenset(each.person for each in case.judgements if each.stage in others)


def supplied(flow: Flow, case: Case, application: Mapping[str, Any], now_ms: int) -> Case:
    """Return the case with what the applicant brought. Raises Refused when it is not asked for anything."""
    stage = flow.stages.get(case.stage)
    if stage is None or stage.kind is not Kind.WAIT or case.status is not Status.WAITING:
        raise Refused("not_asked", f"application {case.id} is {case.status} at {case.stage}; nothing is asked for")
    learnt = {"application": application, "evidence": {}, "inputs": case.inputs + 1}
    return moved(flow, case, Heard(Outcome.SUPPLIED, learnt=learnt), now_ms)


def woken(flow: Flow, case: Case, now_ms: int) -> Case:
    """Return a waiting case whose time has come: it goes on by itself (its attempts still count), or the applicant's time is over."""
    if flow.stages[case.stage].kind is Kind.WAIT:
        return moved(flow, case, Heard(Outcome.EXPIRED, (words.reason("supplement_expired"),)), now_ms)
    return _next(case.but(status=Status.RUNNING, retry_ms=None), now_ms)


def resumed(flow: Flow, case: Case, now_ms: int) -> Case:
    """Return a parked case as it goes on where it stopped, with its attempts before it again; one that runs is left alone. Raises Refused when it cannot."""
    if case.status is Status.RUNNING:
        return case
    if not case.resumable:
        raise Refused("not_resumable", f"application {case.id} is {case.status}: {'; '.join(each.en for each in case.reasons)}")
    stage = case.came_from if case.status is Status.MANUAL else case.stage
    going = case.but(status=Status.RUNNING, stage=stage, came_from="", resumable=False, reasons=(), attempts=0, retry_ms=None)
    return _next(going.but(entered=case.version + 1), now_ms)


def moved(flow: Flow, case: Case, said: Heard, now_ms: int) -> Case:
    """Return the case along the edge of its stage's outcome. A condition that cannot be decided is an error of the stage."""
    stage = flow.stages[case.stage]
    try:
        return _along(flow, stage, case, said, now_ms)
    except Unclear as error:
        return _along(flow, stage, case, Heard(Outcome.ERROR, (words.unusable("flow", str(error)),)), now_ms)


def _along(flow: Flow, stage: Stage, case: Case, said: Heard, now_ms: int) -> Case:
    outcome = said.outcome
    learnt = case.but(**said.learnt, trail=(*case.trail, Trod(stage.name, outcome)))
    standing = after(stage, outcome, case.standing)
    place = _place(stage, outcome, learnt, standing, said.missing)
    standing = taking(stage, outcome, place, standing)
    came_from = case.came_from
    if stage.is_automatic:
        came_from = "" if outcome in (Outcome.PASS, Outcome.PAID) else stage.name
    to = stage.edges[outcome][place].to
    could_go_on = outcome is Outcome.TIMEOUT or (outcome is Outcome.MISSING and stage.kind in PULLS)
    walked = _Way(came_from if to == BACK else to, standing)
    while flow.skips(learnt.profile, walked.to):
        walked = _skipped(flow, learnt, walked)
    entered = _entered(flow, learnt, walked, said.reasons, now_ms)
    moved = {
        "came_from": came_from,
        "attempts": 0,
        "resumable": could_go_on and entered["status"] is Status.MANUAL,
        "version": case.version + 1,
        "entered": case.version + 1,
        "updated_ms": max(now_ms, case.updated_ms),
    }
    return learnt.but(**(moved | entered))


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a case is led, and what it has behind it then."""

    to: str
    standing: Standing


def _place(stage: Stage, outcome: Outcome, case: Case, standing: Standing, missing: tuple[str, ...]) -> int:
    """Return which edge of an outcome is taken: the first that is open and whose condition holds. Raises Unclear."""
    for place, edge in enumerate(stage.edges[outcome]):
        if is_open(stage, outcome, place, standing) and (not edge.when or conditions.holds(edge.when, facts(case, missing))):
            return place
    raise Unclear(f"no edge of {stage.name} on {outcome} is open")


def _skipped(flow: Flow, case: Case, way: _Way) -> _Way:
    """Pass through a stage that the profile skips."""
    stage = flow.stages[way.to]
    place = _place(stage, Outcome.PASS, case, way.standing, ())
    return _Way(stage.edges[Outcome.PASS][place].to, taking(stage, Outcome.PASS, place, way.standing))


def _entered(flow: Flow, case: Case, way: _Way, reasons: tuple[Reason, ...], now_ms: int) -> dict[str, Any]:
    """Return the fields of a case that change as it comes into a stage or to an end."""
    there: dict[str, Any] = {"stage": way.to, "standing": way.standing, "reasons": reasons, "retry_ms": None}
    if way.to in (REJECTED, DONE):
        return there | {"stage": ENDED, "status": Status.REJECTED if way.to == REJECTED else Status.DISBURSED}
    stage = flow.stages[way.to]
    if stage.kind is Kind.DISBURSE:
        return there | _approved(flow, case, way)
    if stage.is_manual:
        return there | {"status": Status.MANUAL}
    if stage.kind is not Kind.WAIT:
        return there | {"status": Status.RUNNING, "reasons": ()}
    if way.standing.supplements < flow.supplements:
        return there | {"status": Status.WAITING, "retry_ms": now_ms + stage.deadline_s * 1_000}
    return _exhausted(flow, case, way, reasons, now_ms)


def _exhausted(flow: Flow, case: Case, way: _Way, reasons: tuple[Reason, ...], now_ms: int) -> dict[str, Any]:
    """Go past a wait for which the supplements are used up."""
    stage = flow.stages[way.to]
    place = _place(stage, Outcome.EXHAUSTED, case, way.standing, ())
    beyond = _Way(stage.edges[Outcome.EXHAUSTED][place].to, taking(stage, Outcome.EXHAUSTED, place, way.standing))
    return _entered(flow, case, beyond, (*reasons, words.reason("supplements_exhausted")), now_ms)


def _approved(flow: Flow, case: Case, way: _Way) -> dict[str, Any]:
    """Approve: the loan is what was asked for, but never above the limit that was priced. What lacks a check stops here, whatever led to it."""
    offer = case.offer
    if lacks(flow, way.standing) or offer is None or case.priced != case.inputs:
        return _stopped(flow, case, way)
    asked = case.application["amount_fen"] or offer.limit_fen
    note = (words.reason("amount_is_limit"),) if asked > offer.limit_fen else ()
    return {"status": Status.RUNNING, "amount_fen": min(asked, offer.limit_fen), "reasons": note}


def _stopped(flow: Flow, case: Case, way: _Way) -> dict[str, Any]:
    """Lead what must not be paid out to the people that errors of the payout go to. Nothing was asked of the ledger: no money is on its way."""
    lacking = lacks(flow, way.standing) or ["has no price for what is known now"]
    stopped = {"status": Status.MANUAL, "reasons": (words.skipped(lacking),)}
    payout = flow.stages[way.to]
    place = _place(payout, Outcome.ERROR, case, way.standing, ())
    repair = flow.stages.get(payout.edges[Outcome.ERROR][place].to)
    if repair is None or not repair.is_manual:
        return stopped
    standing = taking(payout, Outcome.ERROR, place, way.standing)
    return stopped | {"stage": repair.name, "standing": standing, "came_from": payout.name, "trail": (*case.trail, Trod(payout.name, Outcome.ERROR))}


def sent_to_repair(flow: Flow, case: Case, now_ms: int) -> Case:
    """Return a case that older releases stopped at its payout, where no task is, as it stands with people; any other is left alone."""
    stage = flow.stages.get(case.stage)
    if stage is None or stage.kind is not Kind.DISBURSE or case.status is not Status.MANUAL:
        return case
    stopped = _stopped(flow, case, _Way(stage.name, case.standing))
    return _next(case.but(**stopped, entered=case.version + 1), now_ms) if "stage" in stopped else case


def is_approved(flow: Flow, case: Case) -> bool:
    """Whether the case may be paid out: at its payout, running, with everything mandatory behind it and the amount that was priced."""
    stage = flow.stages.get(case.stage)
    at_payout = stage is not None and stage.kind is Kind.DISBURSE and case.status is Status.RUNNING
    return at_payout and not lacks(flow, case.standing) and case.offer is not None and case.amount_fen is not None and case.priced == case.inputs


def facts(case: Case, missing: tuple[str, ...]) -> dict[str, Any]:
    """Return what conditions may ask about: the names of `conditions.FACTS`."""
    asked, declared, offer = case.application, case.application["evidence"], case.offer
    return {
        "age": asked["customer"]["age"],
        "amount_fen": case.amount_fen,
        "annual_rate": float(offer.annual_rate) if offer else None,
        "asked_fen": asked["amount_fen"],
        "grade": offer.grade if offer else None,
        "has_jd": (case.evidence.get("jd") or declared["jd"]) is not None,
        "has_pboc": (case.evidence.get("pboc_record") or declared["pboc_record"]) is not None,
        "has_taobao": (case.evidence.get("taobao") or declared["taobao"]) is not None,
        "limit_fen": offer.limit_fen if offer else None,
        "missing": list(missing),
        "other_debt_fen": asked["other_debt_fen"],
        "pboc_record": case.evidence.get("pboc_record") or declared["pboc_record"],
        "periods": asked["periods"],
        "profile": case.profile,
        "supplements": case.standing.supplements,
        "tenant": asked["tenant"],
        "zhima_score": declared["zhima_score"],
    }


def _next(case: Case, now_ms: int) -> Case:
    """One version further; time never runs backwards in a case, whatever the clock does."""
    return case.but(version=case.version + 1, updated_ms=max(now_ms, case.updated_ms))
