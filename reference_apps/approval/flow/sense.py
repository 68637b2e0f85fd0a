"""What a flow's text allows and its sense does not: names that are none, fields of other kinds, outcomes without a way. Pure; each finding one line."""

from collections.abc import Iterator

from reference_apps.approval.flow import conditions
from reference_apps.approval.flow.model import BACK, CLEARABLE, DONE, ENDS, PEOPLE, REJECTED, RESERVED, RULES, Edge, Flow, Kind, Outcome, Stage

ASKABLE = frozenset({"zhima_score", "pboc_record", "taobao", "jd", "document"})
"""What an applicant can be asked to bring."""


def contradictions(flow: Flow) -> Iterator[str]:
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
