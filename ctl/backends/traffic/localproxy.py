"""Our own proxy as the gateway, for machines that cannot run Envoy: it reads the route book itself and says which routes it applies."""

import json
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from ctl.backends.traffic import book, control_socket
from ctl.backends.traffic.engine import Command
from ctl.backends.traffic.gateway import Gateway
from ctl.backends.traffic.site import Site
from ctl.model.fleet import Routes

PROJECT = Path(__file__).resolve().parents[3]


def gateway(home: Path, *, port: int = 0) -> Gateway:
    """Return the gateway of a home with the proxy in it. Port 0: one that is chosen once and kept."""
    where = Site(home)
    return Gateway(where, ProxyEngine(where), at_port=port)


class ProxyEngine:
    """The proxy looks at the book whenever it is asked what it applies, so asking is enough to have it apply what is new."""

    name = "proxy"

    def __init__(self, where: Site) -> None:
        self._site = where

    def prepare(self, port: int, asked: Mapping[str, Routes]) -> Command:
        argv = (sys.executable, "-P", "-m", "ctl.backends.traffic.proxy", str(self._site.home), str(port))
        return Command(argv=argv, environ={"PATH": os.defpath, "PYTHONPATH": str(PROJECT)})

    def write(self, asked: Mapping[str, Routes]) -> None:
        """The book is all it reads."""

    def in_force(self, services: Collection[str] | None) -> Mapping[str, Routes]:
        with control_socket.connect(self._site.run) as line:
            try:
                line.sendall(json.dumps({"services": None if services is None else list(services)}).encode() + b"\n")
                with line.makefile("r") as answers:
                    return book.parse(answers.readline())
            except OSError as error:
                raise control_socket.failed(error) from error
