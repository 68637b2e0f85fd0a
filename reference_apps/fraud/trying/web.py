"""The HTTP door of rules: published in shadow, tried on the log, switched on by a supervisor on what a trial or a time in shadow says, or with a reason."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from ctl.kit.problem import Problem
from reference_apps.fraud.door.callers import Knock
from reference_apps.fraud.keeping.people import Person
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.notes import Switch
from reference_apps.fraud.policy.policy import VERDICTS, BadPolicy
from reference_apps.fraud.policy.switching import content_of, rules_of, with_rule
from reference_apps.fraud.trying import permission
from reference_apps.fraud.trying.bench import Bench, Failed

Text = Annotated[str, Field(min_length=1, max_length=500)]
RuleId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
MOST_TRIALS = 5

Json = dict[str, Any]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleBody(Body):
    """A rule as in policy.yaml, without its state."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    when: Annotated[str, Field(min_length=1, max_length=2000)]
    facts: Annotated[list[Text], Field(min_length=1, max_length=50)]
    verdict: Literal["step-up", "review", "block"]
    words: Text


class TrialBody(Body):
    """A rule to be tried: one of those there are, by its id, or one given here."""

    rule: RuleBody | Text
    days: Annotated[StrictInt, Field(ge=1, le=3660)] | None = None


class ActivateBody(Body):
    """`content` is the hash of what is switched on. `anyway`: though nothing speaks for it, for this reason."""

    content: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    anyway: StrictBool = False
    reason: Annotated[str, Field(max_length=500)] = ""


class DeactivateBody(Body):
    reason: Text


def add_routes(app: FastAPI, bench: Bench, knock: Knock) -> None:
    """Give the app the rules' routes."""
    _trying(app, bench, knock)
    _switching(app, bench, knock)


def _trying(app: FastAPI, bench: Bench, knock: Knock) -> None:
    @app.get("/v1/rules", dependencies=[Depends(knock)])
    async def list_rules() -> Json:
        """List the rules in force, with what those in shadow said of live events, and their latest trials."""
        await bench.cases.catch_up()
        return {"policy": bench.cases.desk.policy.id, "items": [_rule(bench, each) for each in rules_of(bench.cases.desk.policy).values()]}

    @app.post("/v1/trials", status_code=202)
    async def begin_trial(body: TrialBody, person: Annotated[Person, Depends(knock)]) -> Json:
        """Try a rule on this instance's log, in a process of its own."""
        rule = _told(bench, body.rule) if isinstance(body.rule, str) else body.rule.model_dump()
        trial_id = f"trial-{uuid4().hex[:16]}"
        try:
            bench.begin(trial_id, person.id, dict(rule) | {"state": "active"}, body.days)
        except BadPolicy as error:
            raise _bad(error) from error
        return {"id": trial_id, "state": "running"}

    @app.get("/v1/trials/{trial_id}", dependencies=[Depends(knock)])
    async def get_trial(trial_id: str) -> Json:
        await bench.cases.catch_up()
        found = bench.find(trial_id)
        if isinstance(found, Failed):
            return {"id": trial_id, "state": "failed", "why": found.why}
        if found is None:
            return {"id": trial_id, "state": "running"}
        return {"id": trial_id, "state": "done", "by": found.by, "rule": found.rule, "content": found.content, "table": found.table}


def _switching(app: FastAPI, bench: Bench, knock: Knock) -> None:
    Who = Annotated[Person, Depends(knock)]

    @app.post("/v1/rules", status_code=201)
    async def publish(body: RuleBody, person: Who) -> Json:
        """Put a rule in shadow: it is reported and changes nothing."""
        _allow(person)
        there = rules_of(bench.cases.desk.policy).get(body.id)
        if there is not None and there["state"] == "active":
            raise Problem(409, "active", f"rule {body.id} is switched on", remedy="publish the new one under an id of its own, or switch this one off first")
        return await _put(bench, person, body.model_dump() | {"state": "shadow"})

    @app.post("/v1/rules/{rule_id}/activate")
    async def activate(rule_id: RuleId, body: ActivateBody, person: Who) -> Json:
        """Switch a rule on."""
        _allow(person)
        await bench.cases.catch_up()
        told = _told(bench, rule_id)
        if content_of(told) != body.content:
            detail = f"content: rule {rule_id} says {content_of(told)} now, not {body.content}"
            raise Problem(409, "other_content", detail, remedy="look at the rule as it is now, and try that")
        stands_on = _basis(bench, told)
        if stands_on is None and not (body.anyway and body.reason):
            detail = f"rule {rule_id} ({body.content}) was neither tried on {permission.FEWEST_EVENTS} events nor that long in shadow"
            raise Problem(409, "untried", detail, remedy="POST /v1/trials first, or send anyway with a reason")
        return await _put(bench, person, dict(told) | {"state": "active"}, basis=stands_on or "nothing: anyway", reason=body.reason)

    @app.post("/v1/rules/{rule_id}/deactivate")
    async def deactivate(rule_id: RuleId, body: DeactivateBody, person: Who) -> Json:
        """Put a rule back in shadow, for a reason."""
        _allow(person)
        return await _put(bench, person, dict(_told(bench, rule_id)) | {"state": "shadow"}, reason=body.reason)


async def _put(bench: Bench, person: Person, told: Json, basis: str = "", reason: str = "") -> Json:
    """Log a switch of a rule that the policy can take in. Raises Problem (422, 503)."""
    try:
        with_rule(bench.cases.desk.policy, told)
    except BadPolicy as error:
        raise _bad(error) from error
    note_id = f"{person.id}/{uuid4().hex}"
    await bench.cases.put(Switch(id=note_id, by=person.id, at_ms=bench.cases.now_ms(), told=told, content=content_of(told), basis=basis, reason=reason))
    return _rule(bench, told)


def _rule(bench: Bench, told: Any) -> Json:
    book, content = bench.cases.book, content_of(told)
    switches = [each for _, each in book.kept.switches if each.rule == told["id"]]
    trials = [each for each in book.kept.trials if (each.rule, each.content) == (told["id"], content)]
    return dict(told) | {
        "content": content,
        "shadow": _shadow(bench, told) if told["state"] == "shadow" else None,
        "trials": [{"id": each.id, "by": each.by, "events": each.events} for each in trials[-MOST_TRIALS:]],
        "switched": {"by": switches[-1].by, "basis": switches[-1].basis, "reason": switches[-1].reason} if switches else None,
        "may_be_switched_on": _basis(bench, told),
    }


def _shadow(bench: Bench, told: Any) -> Json:
    """Say how often a rule in shadow held for live events, and which verdicts it would have changed."""
    found, mine = bench.cases.book.kept.shadows.get(told["id"]), VERDICTS[told["verdict"]]
    hits = found.hits if found else [0] * len(Verdict)
    changes = [{"from": Verdict(verdict).word, "to": mine.word, "events": count} for verdict, count in enumerate(hits) if count and verdict < mine]
    return {"hits": sum(hits), "since": found.since if found else None, "would_change": changes}


def _basis(bench: Bench, told: Any) -> str | None:
    kept = bench.cases.book.kept
    return permission.basis(told, kept.trials, kept.switches, kept.position)


def _told(bench: Bench, rule_id: str) -> Any:
    found = rules_of(bench.cases.desk.policy).get(rule_id)
    if found is None:
        raise Problem(404, "rule_not_found", f"there is no rule {rule_id}", remedy="GET /v1/rules lists them; POST publishes one")
    return found


def _bad(error: BadPolicy) -> Problem:
    return Problem(422, "bad_rule", f"rule: {error}", remedy="correct the rule and send it again; nothing was changed")


def _allow(person: Person) -> None:
    if not person.is_supervisor:
        raise Problem(403, "not_allowed", f"{person.id} is {person.role}; only a supervisor switches rules", remedy="ask a supervisor")
