"""The catalog as a whole, its graph and its impact, as JSON-ready shapes: views over decide/catalog, nothing more."""

from typing import Any

from ctl.decide import catalog
from ctl.model import codec
from ctl.model.service import CatalogSnapshot


def everything(snapshot: CatalogSnapshot) -> dict[str, Any]:
    """Return {"revision", "environment", "services": {name: spec}}."""
    services = {name: codec.to_json(service) for name, service in sorted(snapshot.services.items())}
    return {"revision": snapshot.revision, "environment": snapshot.environment, "services": services}


def graph(snapshot: CatalogSnapshot, service: str = "") -> dict[str, Any]:
    """Return services, edges (from a service to what it depends on) and levels; with a service only what it stands on, itself included."""
    depends = catalog.graph(snapshot.services)
    if service:
        wanted = catalog.reach(depends, service) | {service}
        depends = {name: dependencies for name, dependencies in depends.items() if name in wanted}
    edges = [[name, each] for name in sorted(depends) for each in depends[name] if each in depends]
    return {"services": sorted(depends), "edges": edges, "levels": catalog.levels(depends)}


def impact(snapshot: CatalogSnapshot, service: str) -> dict[str, Any]:
    """Return {"service", "direct", "all", "fronts"}: who suffers when it is down, by name."""
    found = catalog.impact(snapshot.services, service)
    return {"service": service, "direct": list(found.direct), "all": list(found.all), "fronts": list(found.fronts)}
