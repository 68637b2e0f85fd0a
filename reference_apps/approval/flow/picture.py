"""A flow as a picture: Mermaid for documents, lines of text for terminals. Pure."""

from collections.abc import Iterator

from reference_apps.approval.flow.model import ENDS, RECEIVED, Edge, Flow, Kind, Outcome, Stage


def mermaid(flow: Flow) -> str:
    """Return the flow as a Mermaid flowchart: people are rounded, waits are slanted, optional stages are dashed."""
    lines = ["flowchart LR", f"  {RECEIVED}(({RECEIVED})) --> {flow.start}"]
    lines += [f"  {_shape(stage)}" for stage in _in_order(flow)]
    lines += [f"  {end}(({end}))" for end in sorted(ENDS)]
    lines += [f'  {stage.name} -->|"{_label(outcome, edge)}"| {edge.to}' for stage, outcome, edge in _edges(flow)]
    optional = ",".join(stage.name for stage in _in_order(flow) if stage.optional)
    if optional:
        lines += ["  classDef optional stroke-dasharray: 4", f"  class {optional} optional"]
    return "\n".join(lines)


def text(flow: Flow) -> str:
    """Return the flow as lines: each stage with its kind and where its outcomes lead."""
    lines = [f"{flow.id}: starts at {flow.start}, at most {flow.supplements} supplements"]
    lines += [f"profile {name}: skips {', '.join(sorted(skip)) or 'nothing'}" for name, skip in sorted(flow.profiles.items())]
    for stage in _in_order(flow):
        lines += ["", f"{stage.name} ({_what(stage)})"]
        lines += [f"  {_label(outcome, edge)} -> {edge.to}" for outcome, edge in _onward(stage)]
    return "\n".join(lines)


def _what(stage: Stage) -> str:
    said = [str(stage.kind)]
    said += ["optional"] if stage.optional else []
    said += [f"skill {stage.skill}", f"within {stage.sla_s} s"] if stage.is_manual else []
    said += [f"not who did {', '.join(stage.four_eyes_with)}"] if stage.four_eyes_with else []
    said += [f"may clear {', '.join(sorted(stage.clears))}"] if stage.clears else []
    said += [f"for {stage.deadline_s} s, asks {', '.join(stage.asks)}"] if stage.kind is Kind.WAIT else []
    return ", ".join(said)


def _edges(flow: Flow) -> Iterator[tuple[Stage, Outcome, Edge]]:
    return ((stage, outcome, edge) for stage in _in_order(flow) for outcome, edge in _onward(stage))


def _onward(stage: Stage) -> list[tuple[Outcome, Edge]]:
    """Return the ways on in the order of the language of outcomes: the good one first."""
    return [(outcome, edge) for outcome in Outcome if outcome in stage.edges for edge in stage.edges[outcome]]


def _in_order(flow: Flow) -> list[Stage]:
    """Return the stages as a reader meets them from the start, whatever their order in the file; what nothing leads to comes last."""
    names = [flow.start]
    for name in names:
        names += [edge.to for _, edge in _onward(flow.stages[name]) if edge.to in flow.stages and edge.to not in names]
    names = list(dict.fromkeys([*names, *sorted(flow.stages)]))
    return [flow.stages[name] for name in names]


def _label(outcome: Outcome, edge: Edge) -> str:
    when = f" if {edge.when}" if edge.when else ""
    most = f" (at most {edge.most}x)" if edge.most else ""
    return f"{outcome}{when}{most}".replace('"', "'")


def _shape(stage: Stage) -> str:
    if stage.is_manual:
        return f"{stage.name}([{stage.name}])"
    return f"{stage.name}[/{stage.name}/]" if stage.kind is Kind.WAIT else f"{stage.name}[{stage.name}]"
