"""A plant: a catalog of three small services and one real msxfctl that runs them in a folder of its own; what is so is read from outside, not asked."""

import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import randrange
from typing import Any

from bench.load import Call, Load, Tally
from bench.machine import ROOT, Machine
from ctl.client import RemotePlane
from tests.e2e.gateways import until
from tests.e2e.homes import is_running

RATE = 60.0
WANTED = {"desk": 3, "lane": 2, "book": 1}
DOMAINS = 'lending: {layer: middle, summary: "Loans."}\n'
TIMES = """\
local:
  summary: One machine, in a hurry.
  rollout:
    {min_ready_s: 0.1, healthy_deadline_s: 20, progress_deadline_s: 60, drain_s: 5, bake_s: 0.4, abort_scale_down_delay_s: 0.3, scale_down_delay_s: 0.3,
     step_s: 1.5, gate: {window_s: 1, min_requests: 3, min_p99_ms: 2000}}
"""
HEAD = "name: {name}\ndomain: lending\nsummary: A small service.\nowner: lending\ntier: 1\nreplicas: {{local: {count}}}\n"
SERVICES = {
    "desk": "rollout: {strategy: rolling, surge: 1, unavailable: 0}\n",
    "lane": "rollout: {strategy: canary, surge: 1, unavailable: 0, steps: [25, 50]}\n",
    "book": "kind: stateful\nrollout: {strategy: rolling, surge: 1, unavailable: 0}\nhandover: standby\nscale: {min: 1, max: 1}\n"
    'config: {sample.single_writer: "true"}\n',
}


def write_catalog(folder: Path) -> Path:
    (folder / "lending").mkdir(parents=True)
    (folder / "domains.yaml").write_text(DOMAINS)
    (folder / "environments.yaml").write_text(TIMES)
    for name, rest in SERVICES.items():
        (folder / "lending" / f"{name}.yaml").write_text(HEAD.format(name=name, count=WANTED[name]) + rest)
    return folder


@dataclass(slots=True)
class Plant:
    """One home with its commands, its daemon's plane and its load; `versions` counts what has been deployed of each service."""

    machine: Machine
    plane: RemotePlane
    versions: Counter[str] = field(default_factory=Counter)

    @property
    def home(self) -> Path:
        return self.machine.home

    def release(self, service: str) -> str:
        """Build and deploy the next version; return the rollout's id."""
        version = f"1.{self.versions[service]}.0"
        self.plane.build(service, version)
        rollout = self.plane.deploy(service, version)["id"]
        self.versions[service] += 1
        return rollout

    def certified(self, rollout: str, *, within_s: float = 40.0) -> None:
        until(f"{rollout} has ended", lambda: self.plane.rollout(rollout)["phase"] == "paused" or not self.plane.rollout(rollout)["active"], within_s=within_s)
        ended = self.plane.rollout(rollout)
        assert ended["phase"] == "certified", f"{rollout} is {ended['phase']}: {ended['paused_why']}{ended['abort_why']}{ended['outcome']}"

    def kill_daemon(self) -> None:
        """Kill it with SIGKILL; returned when it is gone."""
        pid = self.machine.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        until("the daemon is gone", lambda: not is_running(pid))

    def events(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Read the journal from its file, so that it can be read whoever lives."""
        with closing(sqlite3.connect(f"file:{self.home / 'state.db'}?mode=ro", uri=True, timeout=10)) as store:
            rows = store.execute("SELECT seq, kind, service, rollout, why, body FROM journal WHERE seq > ? ORDER BY seq", (after,)).fetchall()
        return [{**dict(zip(("seq", "kind", "service", "rollout", "why"), row[:5], strict=True)), **json.loads(row[5])} for row in rows]

    def last_event(self) -> int:
        return max((event["seq"] for event in self.events()), default=0)

    def load(self, services: Mapping[str, int] = WANTED) -> Load:
        names = sorted(services)
        return Load(self.plane.status()["gateway"], lambda number: Call("GET", f"/{names[number % len(names)]}/work"), RATE).start()

    def slots(self, service: str) -> dict[str, set[int]]:
        """Return the processes of each slot, as the kernel knows them: whoever writes into the log of the slot."""
        found: dict[str, set[int]] = {}
        for pid, log in _writers(self.home / "logs"):
            if log.startswith(f"{service}-"):
                found.setdefault(log.removesuffix(".log"), set()).add(pid)
        return found

    def starts(self, slot: str) -> int:
        """Count the processes that have ever listened in this slot, by its log."""
        return (self.home / "logs" / f"{slot}.log").read_text().count('"listens on ')

    def settled(self, service: str) -> None:
        """Wait until nobody but the wanted instances of the live release is there, and require one process for each."""
        until(f"only the wanted instances of {service} run", lambda: len(self.slots(service)) == WANTED[service])
        until(f"only the live release of {service} is known", lambda: len(self.plane.service(service)["groups"]) == 1)
        (group,) = self.plane.service(service)["groups"]
        assert (group["version"], group["ready"], group["weight_pct"]) == (f"1.{self.versions[service] - 1}.0", WANTED[service], 100)
        slots = self.slots(service)
        assert set(slots) == {one["id"] for one in group["instances"]}
        assert all(len(pids) == 1 for pids in slots.values()), f"more than one process in a slot: {slots}"

    def untouched(self, service: str) -> None:
        """Require that no instance there has ever been started twice."""
        assert {one["restarts"] for one in self.plane.instances(service)} == {0}
        for slot in self.slots(service):
            record = json.loads((self.home / "run" / "instances" / f"{slot}.json").read_text())
            assert (record["generation"], self.starts(slot)) == (1, 1), slot

    def no_open_intents(self) -> None:
        waiting: dict[tuple[str, str], str] = {}
        for event in self.events():
            if event["kind"] == "action.intent":
                waiting[event["rollout"], event["id"]] = event["does"]
            elif event["kind"] == "action.outcome":
                waiting.pop((event["rollout"], event["id"]), None)
        assert not waiting

    def intact(self) -> None:
        assert self.plane.verify_journal()["intact"] is True


@contextmanager
def open_plant(folder: Path, **environ: str) -> Iterator[Plant]:
    """Give a plant in `folder` that is down, on ports where no other home is; afterwards it is taken down, and what is left is killed and fails the test."""
    catalog, ports = write_catalog(folder / "catalog"), 28100 + 100 * randrange(7)
    machine = Machine(
        folder / "home", environ={"MSXFCTL_CATALOG": str(catalog), "MSXFCTL_PORTS": f"{ports}-{ports + 99}", "PYTHONPATH": str(ROOT), **environ}
    )
    try:
        yield Plant(machine, RemotePlane(machine.home / "msxfctl.sock"))
        machine.run("down", "--yes", timeout_s=60)
    finally:
        left = processes_of(machine.home)
        _kill_all(machine.home)
    assert not left, f"processes were left after down: {left}"


@contextmanager
def running_plant(folder: Path, **environ: str) -> Iterator[Plant]:
    """Give a plant that is up, with the first version of every service live."""
    with open_plant(folder, **environ) as plant:
        plant.machine.up()
        for rollout in [plant.release(service) for service in WANTED]:
            plant.certified(rollout)
        yield plant


@contextmanager
def under_load(plant: Plant) -> Iterator[Load]:
    load = plant.load()
    try:
        yield load
    finally:
        load.stop()


def assert_none_failed(tally: Tally) -> None:
    assert tally.failures == []
    assert set(tally.statuses) == {200}
    assert tally.answered == tally.sent > 0


def processes_of(home: Path) -> dict[int, str]:
    """Return every living process that names the home in its arguments or environment, works in it or writes into it, with what it is."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid() and is_running(int(entry.name)):
            with suppress(OSError):
                told = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes() + os.readlink(entry / "cwd").encode()
                if str(home).encode() in told + os.readlink(entry / "fd" / "1").encode():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def _kill_all(home: Path) -> None:
    """Kill until nobody is there: one that was killed may have been about to start another."""
    while left := processes_of(home):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _writers(logs: Path) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal():
                folder, _, name = os.readlink(entry / "fd" / "1").rpartition("/")
                if folder == str(logs) and name != "launcher.log":
                    yield int(entry.name), name
