"""What the gateway adds to a request, and how soon it is back after it was killed."""

import os
import signal
import socket
import tempfile
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from bench.load import Call, Load, Tally
from bench.machine import Machine, wait_until
from bench.report import Report, percentile

SERVICE, RATE, SECONDS = "holiday-calendar", 200.0, 6.0


def run(report: Report) -> None:
    """Send the same load straight to an instance and through the gateway, then kill the gateway."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-bench-") as folder:
        machine = Machine(Path(folder) / "home")
        machine.up()
        try:
            machine.run("build", SERVICE, "--version", "1.0.0")
            machine.run("deploy", SERVICE, "--version", "1.0.0", "--reason", "to be measured")
            gateway = machine.ask("status")["gateway"]
            instance = machine.ask("show", SERVICE)["groups"][0]["instances"][0]["address"]
            straight = _load(f"http://{instance}", "/")
            through = _load(gateway, f"/{SERVICE}/")
            _compare(report, straight, through)
            report.at_most("gateway back after kill -9", _killed(machine, gateway), 1, "s")
        finally:
            machine.down()


def _load(base: str, path: str) -> Tally:
    load = Load(base, lambda number: Call("GET", path), RATE).start()
    wait_until("the load", lambda: load.tally.answered >= RATE * SECONDS, within_s=SECONDS * 5)
    return load.stop()


def _compare(report: Report, straight: Tally, through: Tally) -> None:
    for share, name in ((0.5, "median"), (0.99, "p99")):
        added = percentile(through.latencies_s, share) - percentile(straight.latencies_s, share)
        report.note(f"added by the gateway, {name}", 1000 * added, "ms")
    report.at_most("failed requests through the gateway", len(through.failures), 0, f"of {through.sent}")


def _killed(machine: Machine, gateway: str) -> float:
    where = urlsplit(gateway)
    pid = machine.gateway_pid()
    os.kill(pid, signal.SIGKILL)
    began = monotonic()
    wait_until("the gateway is gone", lambda: not _answers(where.port or 0) or machine.gateway_pid() != pid, within_s=2, every_s=0.002)
    wait_until("the gateway is back", lambda: _answers(where.port or 0), within_s=10, every_s=0.005)
    return monotonic() - began


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as line:
            line.sendall(b"GET /nobody/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return line.recv(12).startswith(b"HTTP/1.1 404")
    except OSError:
        return False
