"""What of routes matters to a gateway: the entries that get traffic. Pure."""

from ctl.errors import BadInput
from ctl.model.fleet import RouteEntry, Routes


def effective(routes: Routes) -> Routes:
    """Return the routes without the entries that get no traffic. Raises BadInput when what is left cannot be routed."""
    entries = tuple(entry for entry in routes.entries if entry.weight_pct > 0 and entry.instances)
    if entries and sum(entry.weight_pct for entry in entries) != 100:
        said = ", ".join(f"{entry.release} {entry.weight_pct} %" for entry in entries)
        raise BadInput(f"cannot route {routes.service}: the weights of releases that have instances do not sum to 100", found=said)
    if any(len(entry.instances) != len(entry.addresses) for entry in entries):
        raise BadInput(f"cannot route {routes.service}: every instance needs one address")
    return Routes(service=routes.service, entries=entries, revision=routes.revision)


def equal(one: Routes, other: Routes) -> bool:
    """Whether two effective routes send traffic alike; order and revision do not matter."""
    return one.entries == other.entries or _essence(one) == _essence(other)


def _essence(routes: Routes) -> frozenset[tuple[str, int, frozenset[tuple[str, str]]]]:
    return frozenset(_share(entry) for entry in routes.entries)


def _share(entry: RouteEntry) -> tuple[str, int, frozenset[tuple[str, str]]]:
    return entry.release, entry.weight_pct, frozenset(zip(entry.instances, entry.addresses, strict=True))
