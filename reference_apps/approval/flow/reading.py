"""YAML text to a flow, strictly: every mistake is named with its file, its place and what to do. Pure but for the text it is given.

The hash is SHA-256 over the canonical JSON of what was read, so comments and layout do not matter and nothing else is ignored.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from reference_apps.approval.flow import conditions
from reference_apps.approval.flow.model import (
    BACK,
    CLEARABLE,
    DONE,
    ENDS,
    MOST_SUPPLEMENTS,
    PEOPLE,
    REJECTED,
    RESERVED,
    RULES,
    Check,
    Edge,
    Flow,
    FlowId,
    Kind,
    Outcome,
    Stage,
)

LONGEST_S = 366 * 86_400
ASKABLE = frozenset({"zhima_score", "pboc_record", "taobao", "jd", "document"})
"""What an applicant can be asked to bring."""

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
Seconds = Annotated[StrictInt, Field(ge=1, le=LONGEST_S)]


class FlowRefused(Exception):
    """A flow cannot be used. `findings` say what and where, one line each."""

    def __init__(self, source: str, findings: tuple[str, ...]) -> None:
        super().__init__("\n".join(f"{source}: {finding}" for finding in findings))
        self.source = source
        self.findings = findings


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _EdgeText(_Text):
    to: Name
    when: str = ""
    most: Annotated[StrictInt, Field(ge=1, le=100)] | None = None


class _StageText(_Text):
    kind: Kind
    edges: dict[Outcome, Name | list[_EdgeText | Name]]
    optional: StrictBool = False
    attempts: Annotated[StrictInt, Field(ge=1, le=1_000)] | None = None
    deadline_s: Seconds | None = None
    asks: list[str] = []
    skill: Name | None = None
    sla_s: Seconds | None = None
    four_eyes_with: list[Name] = []
    clears: list[Check] = []


class _ProfileText(_Text):
    skip: list[Name] = []


class _FlowText(_Text):
    name: Name
    version: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    start: Name
    default_profile: Name
    supplements: Annotated[StrictInt, Field(ge=0, le=MOST_SUPPLEMENTS)] = MOST_SUPPLEMENTS
    profiles: Annotated[dict[Name, _ProfileText], Field(min_length=1)]
    stages: Annotated[dict[Name, _StageText], Field(min_length=1, max_length=100)]


class _Loader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's surprises that matter here: a key that stands twice is refused, `on`, `off`, `yes` and `no` stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _no_twins(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice; keep one", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _no_twins)


def read(text: str, source: str) -> Flow:
    """Return the flow that a YAML text describes. Raises FlowRefused naming every mistake found."""
    try:
        plain = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise FlowRefused(source, (_broken(error),)) from error
    try:
        written = _FlowText.model_validate(plain)
    except ValidationError as error:
        raise FlowRefused(source, tuple(_mistake(each) for each in error.errors())) from error
    flow = _flow(written)
    findings = tuple(_contradictions(flow))
    if findings:
        raise FlowRefused(source, findings)
    return flow


def canonical(flow: Flow) -> str:
    """Return the flow as canonical JSON: sorted, compact, defaults left out. It is YAML too, and `read` returns the same flow from it."""
    body = {
        "name": flow.id.name,
        "version": flow.id.version,
        "start": flow.start,
        "default_profile": flow.default_profile,
        "supplements": flow.supplements,
        "profiles": {name: {"skip": sorted(skip)} for name, skip in flow.profiles.items()},
        "stages": {name: _written(stage) for name, stage in flow.stages.items()},
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _written(stage: Stage) -> dict[str, Any]:
    whole = {
        "kind": str(stage.kind),
        "edges": {str(on): [_written_edge(edge) for edge in edges] for on, edges in stage.edges.items()},
        "optional": stage.optional,
        "attempts": stage.attempts,
        "deadline_s": stage.deadline_s,
        "asks": list(stage.asks),
        "skill": stage.skill,
        "sla_s": stage.sla_s,
        "four_eyes_with": list(stage.four_eyes_with),
        "clears": sorted(stage.clears),
    }
    return {name: value for name, value in whole.items() if value}


def _written_edge(edge: Edge) -> dict[str, Any]:
    return {name: value for name, value in (("to", edge.to), ("when", edge.when), ("most", edge.most)) if value}


def _broken(error: Exception) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}this is no YAML: {problem}; write a mapping of name, version, start, profiles, stages"


def _mistake(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("list[", "constrained-str", "_EdgeText", "function-"))) or "the file"
    found = error.get("input")
    shown = "" if isinstance(found, dict | list) else f", found {found!r}"
    return f"{place}: {error['msg']}{shown}{_remedy(error['type'])}"


def _remedy(kind: str) -> str:
    return {"extra_forbidden": "; remove it, or check its spelling", "missing": "; add it"}.get(kind, "")


def _flow(written: _FlowText) -> Flow:
    stages = {name: _stage(name, stage) for name, stage in written.stages.items()}
    flow = Flow(
        id=FlowId(written.name, written.version, ""),
        start=written.start,
        stages=stages,
        profiles={name: frozenset(profile.skip) for name, profile in written.profiles.items()},
        default_profile=written.default_profile,
        supplements=written.supplements,
    )
    digest = hashlib.sha256(canonical(flow).encode()).hexdigest()
    return Flow(
        id=FlowId(written.name, written.version, digest),
        start=flow.start,
        stages=stages,
        profiles=flow.profiles,
        default_profile=flow.default_profile,
        supplements=flow.supplements,
    )


def _stage(name: str, written: _StageText) -> Stage:
    return Stage(
        name=name,
        kind=written.kind,
        edges={on: _edges(edges) for on, edges in written.edges.items()},
        optional=written.optional,
        attempts=written.attempts or 0,
        deadline_s=written.deadline_s or 0,
        asks=tuple(written.asks),
        skill=written.skill or "",
        sla_s=written.sla_s or 0,
        four_eyes_with=tuple(written.four_eyes_with),
        clears=frozenset(written.clears),
    )


def _edges(written: "str | list[_EdgeText | str]") -> tuple[Edge, ...]:
    listed = [written] if isinstance(written, str) else written
    return tuple(Edge(to=each) if isinstance(each, str) else Edge(to=each.to, when=each.when, most=each.most or 0) for each in listed)


def _contradictions(flow: Flow) -> Iterator[str]:
    """Name what the text's shape allows and its sense does not."""
    if flow.start not in flow.stages:
        yield f"start: there is no stage {flow.start!r}; the stages are {', '.join(flow.stages)}"
    if flow.default_profile not in flow.profiles:
        yield f"default_profile: there is no profile {flow.default_profile!r}; the profiles are {', '.join(flow.profiles)}"
    for name, skip in flow.profiles.items():
        yield from _wrong_skips(flow, name, skip)
    if not any(stage.kind is Kind.DISBURSE for stage in flow.stages.values()):
        yield f"stages: no stage of kind {Kind.DISBURSE} pays out; add one"
    for stage in flow.stages.values():
        place = f"stages.{stage.name}"
        if stage.name in RESERVED:
            yield f"{place}: this name is reserved ({', '.join(sorted(RESERVED))}); choose another"
        yield from _wrong_fields(flow, stage, place)
        yield from _wrong_outcomes(stage, place)
        for outcome, edges in stage.edges.items():
            yield from _wrong_edges(flow, stage, outcome, edges)


def _wrong_skips(flow: Flow, profile: str, skip: frozenset[str]) -> Iterator[str]:
    for name in sorted(skip):
        place = f"profiles.{profile}.skip"
        if name not in flow.stages:
            yield f"{place}: there is no stage {name!r}; the stages are {', '.join(flow.stages)}"
        elif not flow.stages[name].optional:
            yield f"{place}: {name} is not optional; only a stage with `optional: true` may be skipped"


def _wrong_fields(flow: Flow, stage: Stage, place: str) -> Iterator[str]:
    is_wait = stage.kind is Kind.WAIT
    if stage.optional and (RULES[stage.kind].settles or Outcome.PASS not in RULES[stage.kind].outcomes):
        yield f"{place}.optional: a stage of kind {stage.kind} cannot be skipped; remove it"
    if bool(stage.deadline_s) is not is_wait:
        yield f"{place}.deadline_s: {'a wait needs it' if is_wait else f'a stage of kind {stage.kind} has none; remove it'}"
    if stage.asks and not is_wait:
        yield f"{place}.asks: only a wait asks the applicant; remove it"
    for unknown in sorted(set(stage.asks) - ASKABLE):
        yield f"{place}.asks: nobody can bring {unknown!r}; what can be asked for is {', '.join(sorted(ASKABLE))}"
    if stage.attempts and not stage.is_automatic:
        yield f"{place}.attempts: only an automatic stage is tried again; remove it"
    yield from _wrong_people(flow, stage, place)


def _wrong_people(flow: Flow, stage: Stage, place: str) -> Iterator[str]:
    if bool(stage.skill) is not stage.is_manual or bool(stage.sla_s) is not stage.is_manual:
        yield f"{place}: skill and sla_s belong to stages of people ({', '.join(sorted(PEOPLE))}), and both to each of them"
    if stage.kind is not Kind.REVIEW and (stage.four_eyes_with or stage.clears):
        yield f"{place}: four_eyes_with and clears belong to a {Kind.REVIEW}; remove them"
    if stage.clears and not stage.four_eyes_with:
        yield f"{place}.clears: one person alone clears nothing; name the first review in four_eyes_with"
    for name in stage.four_eyes_with:
        if name == stage.name or name not in flow.stages or flow.stages[name].kind is not Kind.REVIEW:
            yield f"{place}.four_eyes_with: {name!r} is no other stage of kind {Kind.REVIEW}"
    for check in sorted(stage.clears - CLEARABLE):
        yield f"{place}.clears: nobody may clear {check}; what people may clear is {', '.join(sorted(CLEARABLE))}"


def _wrong_outcomes(stage: Stage, place: str) -> Iterator[str]:
    rule = RULES[stage.kind]
    for outcome in sorted(rule.outcomes - set(stage.edges)):
        yield f"{place}.edges: there is no edge for {outcome}; say where a {stage.kind} goes then"
    for outcome in sorted(set(stage.edges) - rule.outcomes - rule.may):
        yield f"{place}.edges.{outcome}: a stage of kind {stage.kind} never comes to {outcome}; remove it"


def _wrong_edges(flow: Flow, stage: Stage, outcome: Outcome, edges: tuple[Edge, ...]) -> Iterator[str]:
    place = f"stages.{stage.name}.edges.{outcome}"
    if not edges:
        yield f"{place}: the list is empty; name a stage"
        return
    decides = stage.is_automatic and outcome not in (Outcome.TIMEOUT, Outcome.ERROR)
    for edge in edges:
        if edge.to not in flow.stages and edge.to not in ENDS | {BACK}:
            yield f"{place}: there is no stage {edge.to!r}; name a stage, {REJECTED!r}, {DONE!r} or {BACK!r}"
        if edge.to == BACK and stage.is_automatic:
            yield f"{place}: only people and waits send a case back; name a stage"
        if (edge.to == DONE) is not (outcome is Outcome.PAID):
            yield f"{place}: {DONE!r} is where a paid case ends, and only there"
        if edge.when and not decides:
            yield f"{place}: no condition here: this is the way that is left when nothing else works"
        elif edge.when and (wrong := conditions.mistake(edge.when)):
            yield f"{place}: the condition {edge.when!r} cannot be used: {wrong}"
    open_ends = [number for number, edge in enumerate(edges) if not edge.when and not edge.most]
    if open_ends != [len(edges) - 1]:
        yield f"{place}: the last edge, and only the last, must have neither `when` nor `most`, so that there is always exactly one way"
