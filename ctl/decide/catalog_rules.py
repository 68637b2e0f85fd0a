"""What must hold in a catalog beyond the right types: inside a service, and between services. Pure; every finding names its remedy."""

from collections.abc import Iterable, Iterator, Sequence

from ctl.decide import catalog
from ctl.model.catalog import Entry, Finding
from ctl.model.service import Handover, Kind, RolloutPolicy, Service, Strategy

Field = tuple[str | int, ...]
Fault = tuple[Field, str, str]
IN_ORDER = "keep min_ready_s < healthy_deadline_s < progress_deadline_s"


def judge(entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """Return everything that is wrong with these entries; what is wrong in every environment is said once."""
    return (*_between(entries), *(finding for entry in entries for finding in _inside(entry)))


def _inside(entry: Entry) -> Iterator[Finding]:
    """Judge one entry in all its environments."""
    where: dict[Fault, list[str]] = {}
    for environment, service in entry.services.items():
        for fault in _faults(service):
            where.setdefault(fault, []).append(environment)
    for (field, message, remedy), environments in where.items():
        everywhere = len(environments) == len(entry.services)
        for environment in [""] if everywhere else environments:
            yield Finding(service=entry.name, field=field, message=message, remedy=remedy, environment=environment)


def _faults(service: Service) -> Iterator[Fault]:
    yield from _dependencies(service)
    yield from _numbers(service)
    yield from _degrade(service)
    yield from _ports(service)
    yield from _timings(service.rollout)
    yield from _ladder(service.rollout)
    yield from _room(service.rollout, service.replicas)
    if service.handover is Handover.STANDBY:
        yield from _single_writer(service)


def _dependencies(service: Service) -> Iterator[Fault]:
    for position, name in enumerate(service.depends_on):
        if name in service.depends_on[:position]:
            yield ("depends_on", position), f'"{name}" is listed twice', "keep one"


def _numbers(service: Service) -> Iterator[Fault]:
    scale = service.scale
    if scale.min > scale.max:
        yield ("scale", "min"), f"{scale.min} is above scale.max, {scale.max}", "write the smaller number first"
    for environment, count in service.replicas_by_env.items():
        if count > scale.max:
            yield ("replicas", environment), f"{count} is above scale.max, {scale.max}", f"raise scale.max, or write at most {scale.max}"


def _degrade(service: Service) -> Iterator[Fault]:
    for position, level in enumerate(service.degrade):
        if level.level != position + 1:
            yield ("degrade", position, "level"), f"level {level.level} stands at place {position + 1}", "number the levels 1, 2, 3, … in this order"


def _ports(service: Service) -> Iterator[Fault]:
    seen: dict[int, str] = {}
    for port in service.ports:
        first = seen.setdefault(port.number, port.name) if port.number else port.name
        if first != port.name:
            yield ("ports", port.name), f"{port.number} is the number of port {first} as well", "give each its own number, or 0 to have one chosen"


def _timings(policy: RolloutPolicy) -> Iterator[Fault]:
    ready, healthy, progress = policy.min_ready_s, policy.healthy_deadline_s, policy.progress_deadline_s
    if healthy and ready >= healthy:
        yield ("rollout", "min_ready_s"), f"{ready:g} is not below healthy_deadline_s, {healthy:g}", IN_ORDER
    if progress and max(healthy, ready) >= progress:
        name = "healthy_deadline_s" if healthy >= ready else "min_ready_s"
        found = f"{max(healthy, ready):g} is not below progress_deadline_s, {progress:g}"
        yield ("rollout", name), found, IN_ORDER


def _ladder(policy: RolloutPolicy) -> Iterator[Fault]:
    if policy.strategy is Strategy.CANARY and not policy.steps:
        yield ("rollout", "strategy"), "a canary without steps", "add steps, e.g. steps: [5, 25, 50]"
    for position, (before, step) in enumerate(zip(policy.steps, policy.steps[1:], strict=False), start=1):
        if step.weight_pct <= before.weight_pct:
            yield ("rollout", "steps", position), f"{step.weight_pct} % after {before.weight_pct} %", "let the weights rise from step to step"
    for position, step in enumerate(policy.steps):
        if not step.pause and step.step_s < policy.gate.window_s:
            found = f"{step.step_s:g} s at {step.weight_pct} % are shorter than one window of the gate, {policy.gate.window_s:g} s"
            yield ("rollout", "steps", position), found, "raise step_s, or lower gate.window_s"


def _room(policy: RolloutPolicy, replicas: int) -> Iterator[Fault]:
    if policy.surge.value == 0 and policy.unavailable.value == 0:
        yield ("rollout", "surge"), "surge and unavailable are both 0, so nothing could move", "write surge: 1"
    most = policy.max_total
    if most is None:
        return
    need = replicas if policy.strategy is Strategy.ROLLING else 2 * replicas
    if most < need:
        what = "the replicas alone are" if policy.strategy is Strategy.ROLLING else f"{policy.strategy} needs twice the replicas, up to"
        yield ("rollout", "max_total"), f"{most} is too small: {what} {need}", f"write at least {need}, or leave it out"


def _single_writer(service: Service) -> Iterator[Fault]:
    if service.kind is not Kind.STATEFUL:
        yield ("kind",), f"{service.kind} with handover: standby", "write kind: stateful, or leave handover out"
    if service.rollout.strategy is not Strategy.ROLLING:
        yield ("rollout", "strategy"), f"{service.rollout.strategy} with handover: standby", "write strategy: rolling: one writer hands over to the next"
    if service.rollout.max_total is not None and service.rollout.max_total < 2:
        yield ("rollout", "max_total"), "a handover needs the old and the new instance side by side", "write at least 2, or leave it out"
    for environment, count in service.replicas_by_env.items():
        if count > 1:
            yield ("replicas", environment), f"{count} instances with handover: standby, which has one writer", "write 1"


def _between(entries: Sequence[Entry]) -> Iterator[Finding]:
    depends = {entry.name: entry.depends_on for entry in entries}
    for lost in catalog.missing(depends):
        field = ("depends_on", depends[lost.service].index(lost.dependency))
        remedy = f"did you mean {lost.near}?" if lost.near else "msxfctl catalog list shows the services there are"
        yield Finding(service=lost.service, field=field, message=f'no service "{lost.dependency}"', remedy=remedy)
    for cycle in catalog.cycles(depends):
        field = ("depends_on", depends[cycle[0]].index(cycle[1] if len(cycle) > 1 else cycle[0]))
        yield Finding(service=cycle[0], field=field, message=f"cycle: {catalog.shown(cycle)}", remedy="break one edge")
    yield from _clashes(entries)
    yield from _upward(entries)


def _clashes(entries: Iterable[Entry]) -> Iterator[Finding]:
    ports = {entry.name: entry.ports for entry in entries}
    for clash in catalog.clashes({name: numbers.values() for name, numbers in ports.items()}):
        first, *others = clash.services
        for name in others:
            port = next(port for port, number in ports[name].items() if number == clash.number)
            yield Finding(service=name, field=("ports", port), message=f"{clash.number} is a port of {first} as well", remedy="give it another number, or 0")


def _upward(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Base carries middle carries front; an arrow the other way would let a front take the platform down."""
    ranks = {entry.name: list(type(entry.layer)).index(entry.layer) for entry in entries}
    layers = {entry.name: entry.layer for entry in entries}
    for entry in entries:
        for position, name in enumerate(entry.depends_on):
            if ranks.get(name, 0) > ranks[entry.name]:
                message = f'{entry.layer} service depends on {layers[name]} service "{name}"'
                remedy = "turn the call round, or move one of them to another domain"
                yield Finding(service=entry.name, field=("depends_on", position), message=message, remedy=remedy)
