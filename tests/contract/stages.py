"""Stages to play the runtime contract on: each has a runtime, releases that behave or misbehave as asked, and a way to let time pass."""

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol
from urllib.parse import quote

from ctl.backends.clock import ManualClock, SystemClock
from ctl.backends.runtimes.local.runtime import LocalRuntime
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.starting import Supplies
from ctl.backends.runtimes.memory import Fault, MemoryRuntime
from ctl.model.finding import Finding
from ctl.model.fleet import Group, Instance, InstancePhase
from ctl.model.release import Release
from ctl.model.service import Handover, Health
from ctl.ports import Clock, Runtime, Wake

WORKLOAD = Path(__file__).with_name("workload.py")
FORKED = ("python", "-m", "shop")
STARTED = ("sh", "-c", "exec python shop/__main__.py")
PORTS = (29000, 31999)
HASTE = Health(interval_s=0.2, timeout_s=1.0)


class WakeableRuntime(Runtime, Protocol):
    def on_change(self, wake: Wake) -> None: ...


def release(service: str, version: str = "1.0.0", *, mode: str = "good", command: tuple[str, ...] = FORKED, after_s: float = 0.2) -> Release:
    """Return a release whose instances behave as `mode` says: good, slow, never, crash, deaf, writer, family, old."""
    return Release(
        id=f"{version}-0badcafe",
        service=service,
        version=version,
        digest="sha256:shop",
        command=command,
        environment={"MSXF_CONFIG_MODE": mode, "MSXF_CONFIG_AFTER_S": str(after_s)},
        health=HASTE,
        handover=Handover.STANDBY if mode == "writer" else Handover.NONE,
        built_at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def instances(runtime: Runtime, service: str) -> list[Instance]:
    return [one for group in runtime.observe().get(service, ()) for one in group.instances]


def phases(runtime: Runtime, service: str) -> list[InstancePhase]:
    return [one.phase for one in instances(runtime, service)]


class Stage:
    """One service of one runtime. Times in the stage's own seconds, which a memory runtime spends in no time."""

    def __init__(self, runtime: WakeableRuntime, clock: Clock, service: str) -> None:
        self.runtime = runtime
        self.service = service
        self.clock = clock

    def release(self, version: str = "1.0.0", *, mode: str = "good", after_s: float = 0.2) -> Release:
        return release(self.service, version, mode=mode, after_s=after_s)

    def pass_by(self) -> None:
        sleep(0.01)

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.runtime.observe().get(self.service, ())

    @property
    def instances(self) -> list[Instance]:
        return instances(self.runtime, self.service)

    @property
    def phases(self) -> list[InstancePhase]:
        return phases(self.runtime, self.service)

    def until(self, check: Callable[[], object], within_s: float = 20.0) -> None:
        """Let time pass until it is so; the test fails where it does not become so."""
        deadline = self.clock.now() + timedelta(seconds=within_s)
        while not check():
            assert self.clock.now() < deadline, f"not within {within_s} s; it stands so: {self.groups}"
            self.pass_by()

    def until_all(self, phase: InstancePhase, count: int) -> list[Instance]:
        self.until(lambda: self.phases == [phase] * count)
        return self.instances

    def deadline(self, seconds: float) -> datetime:
        return self.clock.now() + timedelta(seconds=seconds)

    def crash(self, instance: Instance) -> None:
        raise NotImplementedError

    def finds(self, instance: Instance, findings: Sequence[Finding]) -> None:
        raise NotImplementedError


class MemoryStage(Stage):
    """A memory runtime under a clock that this stage moves."""

    def __init__(self, service: str) -> None:
        self._hand = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
        self._memory = MemoryRuntime(self._hand, start_s=0.3, drain_s=0.2)
        super().__init__(self._memory, self._hand, service)

    def release(self, version: str = "1.0.0", *, mode: str = "good", after_s: float = 0.2) -> Release:
        made = super().release(version, mode=mode, after_s=after_s)
        self._memory.break_release(self.service, made.id, Fault(never_ready=mode == "never", crash_after_s=after_s if mode == "crash" else None))
        self._memory.drains_in(3600.0 if mode == "deaf" else 0.2)
        return made

    def pass_by(self) -> None:
        self._hand.advance(0.01)

    def crash(self, instance: Instance) -> None:
        self._memory.crash(instance.id)

    def finds(self, instance: Instance, findings: Sequence[Finding]) -> None:
        self._memory.finds(instance.id, tuple(findings))


class LocalStage(Stage):
    """Real processes. The home is shared by the tests of a module, the service is the test's own."""

    def crash(self, instance: Instance) -> None:
        assert instance.pid is not None
        os.kill(instance.pid, signal.SIGKILL)

    def finds(self, instance: Instance, findings: Sequence[Finding]) -> None:
        said = quote(json.dumps([asdict(each) for each in findings]), safe="")
        with urllib.request.urlopen(f"http://{instance.address}/say/found={said}", timeout=5) as answer:
            assert answer.status == 200


def artifact(folder: Path) -> Path:
    """Unpack the workload of these tests into `folder`, as a store would."""
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    shutil.copy(WORKLOAD, folder / "shop" / "__main__.py")
    return folder


def local_runtime(home: Path, *, supervise: bool = True) -> LocalRuntime:
    """Open a runtime over `home` with the workload as its only artifact."""
    unpacked = home.parent / f"{home.name}-unpacked"
    supplies = Supplies(fetch=lambda _digest: artifact(unpacked), gateway=lambda: "http://127.0.0.1:1")
    return LocalRuntime(Site(home=home, ports=PORTS), supplies, SystemClock(), supervise=supervise)


def wait_until(check: Callable[[], object], within_s: float = 20.0) -> float:
    """Poll until it is so and return how long that took."""
    began = monotonic()
    while not check():
        assert monotonic() - began < within_s, f"not within {within_s} s"
        sleep(0.01)
    return monotonic() - began
