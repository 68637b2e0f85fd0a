"""msxfctl catalog validate, list, show, graph, impact, schema: the services as they are declared. Needs no daemon and opens no store."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

import click

from ctl.cli import completing, options, reach
from ctl.cli.asked import Asked
from ctl.cli.screens import maps
from ctl.cli.show import Screen
from ctl.cli.verb import Entry, LazyGroup, Verb
from ctl.errors import NotFound

if TYPE_CHECKING:
    from ctl.model.service import CatalogSnapshot


class Maps(Protocol):
    """What can be asked of a catalog: a plane has it, and so have the files alone."""

    def catalog(self) -> dict[str, Any]: ...

    def graph(self, service: str = "") -> dict[str, Any]: ...

    def impact(self, service: str) -> dict[str, Any]: ...


class Files:
    """The maps of the files of this machine, as its environment sees them."""

    def __init__(self, snapshot: "CatalogSnapshot") -> None:
        from ctl.control import mapping

        self._snapshot, self._mapping = snapshot, mapping

    def catalog(self) -> dict[str, Any]:
        return self._mapping.everything(self._snapshot)

    def graph(self, service: str = "") -> dict[str, Any]:
        return self._mapping.graph(self._snapshot, _known(service, self._snapshot.services) if service else "")

    def impact(self, service: str) -> dict[str, Any]:
        return self._mapping.impact(self._snapshot, _known(service, self._snapshot.services))


def _maps(asked: Asked) -> Maps:
    """Return a named server's catalog, or that of this machine's files. Raises CatalogMistakes, BadInput."""
    if asked.server:
        return reach.remote(asked.server, asked.token_file)
    from ctl import wiring

    return Files(wiring.read_catalog(asked.settings()))


def _known(service: str, services: Collection[str]) -> str:
    if service in services:
        return service
    from difflib import get_close_matches

    near = get_close_matches(service, services, 1)
    raise NotFound(f"there is no service {service!r} in the catalog", remedy=f"did you mean {near[0]}?" if near else "msxfctl catalog list")


@click.command(cls=Verb, examples=("msxfctl catalog validate", "msxfctl catalog validate -o json"))
@click.pass_obj
def validate(asked: Asked) -> int:
    """Check every file of the catalog and name all mistakes at once, each with its place and its remedy; exit status 1 with any."""
    from ctl import wiring

    began, settings = time.monotonic(), asked.settings()
    mistakes = wiring.catalog_mistakes(settings)
    took, services = time.monotonic() - began, sum(1 for _ in completing.in_catalog(str(settings.catalog)))
    body = {"services": services, "took_s": round(took, 3), "mistakes": mistakes}
    Screen(asked).answer("catalog-mistakes/1", body, lambda look: maps.mistakes(mistakes, services, took, look))
    return 1 if mistakes else 0


@click.command(cls=Verb, examples=("msxfctl catalog list --domain middle", "msxfctl catalog list --tier 0"))
@click.option("--domain", default=None, help="Only of this domain.")
@click.option("--tier", type=click.IntRange(0, 3), default=None, help="Only of this tier.")
@click.option("--owner", default=None, help="Only of this team.")
@click.pass_obj
def list_(asked: Asked, /, **wanted: Any) -> None:
    """The services as they are declared."""
    found = _maps(asked).catalog()
    chosen = {name: spec for name, spec in sorted(found["services"].items()) if all(value in (None, spec[key]) for key, value in wanted.items())}
    body = {"revision": found["revision"], "environment": found["environment"], "services": list(chosen.values())}
    Screen(asked).answer("catalog/1", body, lambda look: maps.services(found, list(chosen), look))


@click.command(cls=Verb, examples=("msxfctl catalog show risk", "msxfctl catalog show risk -o yaml"))
@options.service
@click.pass_obj
def show(asked: Asked, service: str) -> None:
    """One service as it is declared, with what its environment changes."""
    services = _maps(asked).catalog()["services"]
    spec = services[_known(service, services)]
    Screen(asked).answer("catalog-service/1", spec, lambda look: maps.spec(spec, look))


@click.command(cls=Verb, examples=("msxfctl catalog graph approval", "msxfctl catalog graph -o json"))
@options.service_or_all
@click.pass_obj
def graph(asked: Asked, service: str | None) -> None:
    """Who stands on whom: all services by level, or what SERVICE stands on as a tree."""
    found = _maps(asked).graph(service or "")
    Screen(asked).answer("catalog-graph/1", found, lambda look: maps.graph(found, service or "", look))


@click.command(cls=Verb, examples=("msxfctl catalog impact sms",))
@options.service
@click.pass_obj
def impact(asked: Asked, service: str) -> None:
    """Who suffers when a service is down: at once, behind that, and which fronts."""
    found = _maps(asked).impact(service)
    Screen(asked).answer("catalog-impact/1", found, lambda look: maps.impact(found, look))


@click.command(cls=Verb, examples=("msxfctl catalog schema > catalog.schema.json",))
@click.pass_obj
def schema(asked: Asked) -> None:
    """The JSON Schema of a service's file, for editors; always JSON."""
    from ctl import wiring

    Screen(asked).raw(wiring.catalog_schema().rstrip("\n"))


group = LazyGroup(
    "catalog",
    help="The services as they are declared: one YAML file each.",
    sections={
        "Commands": {
            "validate": Entry("ctl.cli.catalog:validate", "Check every file; all mistakes at once."),
            "list": Entry("ctl.cli.catalog:list_", "The services as they are declared."),
            "show": Entry("ctl.cli.catalog:show", "One service as it is declared."),
            "graph": Entry("ctl.cli.catalog:graph", "Who stands on whom."),
            "impact": Entry("ctl.cli.catalog:impact", "Who suffers when a service is down."),
            "schema": Entry("ctl.cli.catalog:schema", "The JSON Schema of a service's file."),
        }
    },
)
