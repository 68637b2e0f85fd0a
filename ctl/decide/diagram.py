"""The phases of a rollout as a picture, drawn from the table that the code obeys. Pure."""

from collections.abc import Mapping

from ctl.model.rollout import Phase


def mermaid(transitions: Mapping[Phase, frozenset[Phase]]) -> str:
    """Return a mermaid state diagram with every arrow, in the order in which the phases are declared."""
    order = list(Phase)
    lines = ["stateDiagram-v2", f"    [*] --> {order[0].value}"]
    for phase in order:
        onward = sorted(transitions[phase], key=order.index)
        lines += [f"    {phase.value} --> {to.value}" for to in onward] or [f"    {phase.value} --> [*]"]
    return "\n".join(lines)
