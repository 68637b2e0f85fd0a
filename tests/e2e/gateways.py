"""What gateway tests share: real gateways in a folder of their own, real small instances behind them, and ways to wait without hoping."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from ctl.backends.traffic import envoy, localproxy, port
from ctl.backends.traffic.gateway import Gateway
from ctl.model.fleet import RouteEntry, Routes
from ctl.ports import Traffic

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
UPSTREAM = Path(__file__).with_name("upstream.py")
WITHIN_S = 15.0


def open_gateway(kind: str, home: Path, *, at_port: int = 0) -> Gateway:
    """Return a gateway that is not started yet; where Envoy cannot run the test is skipped, but fails in CI."""
    if kind == "proxy":
        return localproxy.gateway(home, port=at_port)
    if not envoy.runs():
        said = "Envoy is not installed or cannot run on this machine"
        pytest.fail(said) if os.environ.get("CI", "").lower() == "true" else pytest.skip(said)
    return envoy.gateway(home, TEMPLATES, port=at_port)


def until(what: str, check: Callable[[], Any], *, within_s: float = WITHIN_S) -> float:
    """Poll until `check()` is true and return the seconds it took; the test fails at the deadline."""
    began = monotonic()
    while not check():
        if monotonic() - began > within_s:
            pytest.fail(f"{what}: not within {within_s:g} s")
        sleep(0.002)
    return monotonic() - began


class Upstreams:
    """Instances of one test. Each is a process on a port of its own; all end with the test."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.addresses: dict[str, str] = {}

    def start(self, *names: str) -> None:
        """Start these and return when all listen; one that was there before gets the same port."""
        for name in names:
            address = self.addresses.setdefault(name, f"127.0.0.1:{port.choose()}")
            command = [sys.executable, "-S", str(UPSTREAM), name, address.rpartition(":")[2]]
            self.processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for name in names:
            output = self.processes[name].stdout
            assert output is not None
            assert output.readline() == "listening\n", f"{name} did not start"

    def signal(self, name: str, number: signal.Signals) -> None:
        self.processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait(WITHIN_S)

    def seen(self, name: str) -> int:
        """Return how many requests it had, this one not counted."""
        return int(ask("http://" + self.addresses[name], "/seen")[1]["seen"]) - 1

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait(WITHIN_S)
            if process.stdout:
                process.stdout.close()

    def routes(self, service: str, **shares: tuple[int, tuple[str, ...]]) -> Routes:
        """Return routes from release=(weight, names of instances)."""
        return Routes(service=service, entries=tuple(self._entry(release, *share) for release, share in shares.items()))

    def _entry(self, release: str, weight_pct: int, names: tuple[str, ...]) -> RouteEntry:
        return RouteEntry(release=release, weight_pct=weight_pct, instances=names, addresses=tuple(self.addresses[name] for name in names))


def apply(traffic: Traffic, routes: Routes) -> float:
    """Set routes and return the seconds until they were in force."""
    began = monotonic()
    traffic.set_routes(routes)
    until(f"routes of {routes.service}", lambda: is_in_force(traffic, routes))
    return monotonic() - began


def is_in_force(traffic: Traffic, routes: Routes) -> bool:
    seen = traffic.routes().get(routes.service)
    return seen is not None and seen.entries == routes.entries


def ask(base: str, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Send one request over a connection of its own; JSON answers are decoded."""
    status, _, content = raw(base, path, method=method, body=body, headers=headers)
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content


def raw(
    base: str, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Send one request over a connection of its own and return status, headers in lower case, and body."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=40)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def answers(base: str) -> bool:
    """Whether the gateway takes connections."""
    try:
        return raw(base, "/nobody-of-that-name/")[0] == 404
    except OSError:
        return False
    except http.client.HTTPException:
        return False
