"""YAML text to a flow, strictly: every mistake is named with its file, its place and what to do. Pure but for the text it is given.

The hash is SHA-256 over the canonical JSON of what was read, so comments and layout do not matter and nothing else is ignored.
"""

import hashlib
import json
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from reference_apps.approval.flow import sense
from reference_apps.approval.flow.model import MOST_SUPPLEMENTS, Check, Edge, Flow, FlowId, Kind, Outcome, Stage

LONGEST_S = 366 * 86_400

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


def _spelt_out(written: Any) -> Any:
    """An edge may be written as the name of its stage alone, and a list of one edge as that edge."""
    listed = written if isinstance(written, list) else [written]
    return [{"to": each} if isinstance(each, str) else each for each in listed]


_Edges = Annotated[list[_EdgeText], BeforeValidator(_spelt_out)]


class _StageText(_Text):
    kind: Kind
    edges: dict[Outcome, _Edges]
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
    """SafeLoader without YAML 1.1's surprises that matter here: a key that stands twice is refused, so are aliases; `on`, `off`, `yes` and `no` stay text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias (*name) is not read; write it out", self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)


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
    findings = tuple(sense.contradictions(flow))
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
    place = ".".join(str(part) for part in error["loc"] if part != "[key]") or "the file"
    found = error.get("input")
    shown = "" if isinstance(found, dict | list) else f", found {found!r}"
    return f"{place}: {error['msg'].split(' or instance of ')[0]}{shown}{_remedy(error['type'])}"


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


def _edges(written: list[_EdgeText]) -> tuple[Edge, ...]:
    return tuple(Edge(to=each.to, when=each.when, most=each.most or 0) for each in written)
