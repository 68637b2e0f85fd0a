"""The local runtime with everything around it killed: supervisors, launchers, instances. Nothing runs twice, nothing is lost, nothing is left."""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from ctl.backends.clock import SystemClock
from ctl.backends.runtimes.local.launching import LauncherDoor
from ctl.backends.runtimes.local.runtime import LocalRuntime
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.starting import Supplies
from ctl.errors import BackendError, DigestMismatch, LeaseHeld
from ctl.model.fleet import Instance, InstancePhase
from tests.contract.stages import PORTS, artifact, instances, local_runtime, phases, release, wait_until
from tests.e2e import homes

READY, UNREADY, STARTING, DRAINING = InstancePhase.READY, InstancePhase.UNREADY, InstancePhase.STARTING, InstancePhase.DRAINING
SHOP = "shop"
UVICORN = """
import os, uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/{path:path}")
async def answer(path: str) -> dict[str, str]:
    import asyncio
    return {"loop": type(asyncio.get_running_loop()).__module__}

uvicorn.run(app, host="127.0.0.1", port=int(os.environ["MSXF_PORT"]), loop="uvloop")
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    if home.exists():
        local_runtime(home).close(stop_instances=True, within_s=0.5)
    assert homes.running(home) == set()


@pytest.fixture
def runtime(home: Path) -> Iterator[LocalRuntime]:
    runtime = local_runtime(home)
    yield runtime
    runtime.close()


def ready(runtime: LocalRuntime, count: int, service: str = SHOP) -> list[Instance]:
    wait_until(lambda: phases(runtime, service) == [READY] * count)
    return instances(runtime, service)


def pids(found: list[Instance]) -> set[int]:
    return {one.pid for one in found if one.pid is not None}


def test_a_new_supervisor_takes_up_what_the_killed_one_left(home: Path) -> None:
    other = homes.supervisor(home, SHOP, "good", 3)
    before = homes.running(home, SHOP)
    other.kill()
    other.wait()
    runtime = local_runtime(home)
    assert phases(runtime, SHOP) == [READY] * 3, "known from the first moment on"
    assert pids(instances(runtime, SHOP)) == before
    assert [(one.generation, one.restarts) for one in instances(runtime, SHOP)] == [(1, 0)] * 3
    runtime.ensure(release(SHOP), 3)
    assert homes.running(home, SHOP) == before
    runtime.close()


def test_what_died_without_a_supervisor_is_restarted_and_its_end_is_known(home: Path) -> None:
    other = homes.supervisor(home, SHOP, "good", 2)
    other.kill()
    other.wait()
    victim = min(homes.running(home, SHOP))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in homes.running(home, SHOP))
    watcher = local_runtime(home, supervise=False)
    wait_until(lambda: sorted(phases(watcher, SHOP)) == [READY, UNREADY])
    wait_until(lambda: any(one.phase is UNREADY and one.reason.startswith("killed by SIGKILL after ") for one in instances(watcher, SHOP)))
    watcher.close()
    assert len(homes.running(home, SHOP)) == 1, "who only looks restarts nothing"
    runtime = local_runtime(home)
    assert sorted(one.restarts for one in ready(runtime, 2)) == [0, 1]
    runtime.close()


def test_a_drain_goes_on_under_the_next_supervisor(home: Path) -> None:
    other = homes.supervisor(home, SHOP, "deaf", 2, "drain", "3")
    other.kill()
    other.wait()
    runtime = local_runtime(home)
    seen = instances(runtime, SHOP)
    assert [one.phase for one in seen] == [DRAINING] * 2
    deadline = seen[0].drain_by
    assert deadline is not None
    wait_until(lambda: not instances(runtime, SHOP))
    late_s = (SystemClock().now() - deadline).total_seconds()
    assert 0 <= late_s < 1.5, "at the deadline it had, neither sooner nor later"
    assert homes.running(home, SHOP) == set()
    runtime.close()


def test_instances_outlive_the_launcher_and_new_ones_get_a_new_launcher(home: Path, runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP), 2)
    before = ready(runtime, 2)
    old = homes.launcher(home)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: not homes.is_running(old))
    assert pids(before) == homes.running(home, SHOP)
    assert before[0].pid is not None
    os.kill(before[0].pid, signal.SIGKILL)
    wait_until(lambda: phases(runtime, SHOP) != [READY, READY])
    after = ready(runtime, 2)
    assert after[0].restarts == 1
    assert after[1] == before[1]
    assert homes.launcher(home) != old


def test_how_an_orphan_ended_is_not_known_and_said_so(home: Path, runtime: LocalRuntime) -> None:
    said: list[str] = []
    runtime.on_change(lambda service: said.extend(one.reason for one in instances(runtime, service)))
    runtime.ensure(release(SHOP), 1)
    (one,) = ready(runtime, 1)
    os.kill(homes.launcher(home), signal.SIGKILL)
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: instances(runtime, SHOP)[0].restarts == 1)
    assert any(reason.startswith("its process is gone") for reason in said)


def test_an_orphans_family_ends_with_it_too(home: Path, runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP, mode="family"), 1)
    (one,) = ready(runtime, 1)
    wait_until(lambda: len(homes.running(home, SHOP)) == 2)
    first = homes.running(home, SHOP)
    os.kill(homes.launcher(home), signal.SIGKILL)
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: instances(runtime, SHOP)[0].restarts == 1 and phases(runtime, SHOP) == [READY])
    assert not first & homes.running(home, SHOP)


def test_a_server_with_an_event_loop_of_its_own_works_after_the_fork(home: Path, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "web.py").write_text(UVICORN)
    runtime = LocalRuntime(Site(home=home, ports=PORTS), Supplies(fetch=lambda _: tmp_path / "web", gateway=lambda: ""), SystemClock(), supervise=True)
    runtime.ensure(release(SHOP, command=("python", "-m", "web")), 3)
    for one in ready(runtime, 3):
        assert homes.ask(one, "/") == {"loop": "uvloop"}
    runtime.close()


def test_only_one_may_act_on_a_home_and_the_next_takes_over(home: Path, runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP), 1)
    ready(runtime, 1)
    looking, waiting = local_runtime(home, supervise=False), local_runtime(home)
    assert phases(looking, SHOP) == [READY]
    for verb in (lambda: looking.ensure(release(SHOP), 2), lambda: waiting.drain([], SystemClock().now()), lambda: looking.remove(SHOP, "x")):
        with pytest.raises(LeaseHeld, match=f"process {os.getpid()} supervises"):
            verb()
    assert len(homes.running(home, SHOP)) == 1
    runtime.ensure(release(SHOP), 2)
    ready(runtime, 2)
    wait_until(lambda: phases(looking, SHOP) == [READY] * 2)
    runtime.close()
    (victim, _) = instances(looking, SHOP)
    assert victim.pid is not None
    wait_until(lambda: _can_act(waiting))
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: [one.restarts for one in instances(waiting, SHOP)] == [1, 0])
    looking.close()
    waiting.close()


def _can_act(runtime: LocalRuntime) -> bool:
    try:
        runtime.drain([], SystemClock().now())
    except LeaseHeld:
        return False
    return True


def test_an_artifact_that_cannot_be_had_starts_nothing(home: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def fetch(digest: str) -> Path:
        asked.append(digest)
        if digest == "sha256:forged":
            raise DigestMismatch("not what it was")
        return artifact(tmp_path / "unpacked")

    runtime = LocalRuntime(Site(home=home, ports=PORTS), Supplies(fetch=fetch, gateway=lambda: ""), SystemClock(), supervise=True)
    with pytest.raises(DigestMismatch):
        runtime.ensure(replace(release(SHOP), digest="sha256:forged"), 2)
    assert instances(runtime, SHOP) == []
    runtime.ensure(release("other"), 1)
    runtime.ensure(release("other"), 3)
    ready(runtime, 3, "other")
    assert asked == ["sha256:forged", "sha256:shop"]
    runtime.close()


def test_stopping_everything_leaves_nothing(home: Path) -> None:
    runtime = local_runtime(home)
    runtime.ensure(release(SHOP), 2)
    runtime.ensure(release("deaf", mode="deaf"), 2)
    runtime.ensure(release("ill", mode="crash", after_s=0.0), 2)
    ready(runtime, 2)
    ready(runtime, 2, "deaf")
    launcher = homes.launcher(home)
    began = monotonic()
    runtime.close(stop_instances=True, within_s=1)
    assert 0.9 < monotonic() - began < 5
    assert homes.running(home) == set()
    assert list((home / "run" / "instances").iterdir()) == list((home / "run" / "groups").iterdir()) == []
    wait_until(lambda: not homes.is_running(launcher))
    runtime.close(stop_instances=True)
    with pytest.raises(BackendError, match="closed"):
        runtime.ensure(release(SHOP), 1)


def test_a_launcher_without_children_ends_when_its_home_is_gone(home: Path) -> None:
    runtime = local_runtime(home)
    runtime.ensure(release(SHOP), 1)
    ready(runtime, 1)
    runtime.remove(SHOP, release(SHOP).id)
    launcher = homes.launcher(home)
    runtime.close()
    shutil.rmtree(home)
    wait_until(lambda: not homes.is_running(launcher), within_s=5)


def test_a_hundred_instances(home: Path, runtime: LocalRuntime, capsys: pytest.CaptureFixture[str]) -> None:
    LauncherDoor(Site(home=home)).bring_up()
    began = monotonic()
    for number in range(20):
        runtime.ensure(release(f"shop{number}"), 5)
    wait_until(lambda: sum(phases(runtime, f"shop{number}").count(READY) for number in range(20)) == 100)
    took_s = monotonic() - began
    memory_mb = max(homes.private_mb(one.pid) for one in instances(runtime, "shop7") if one.pid is not None)
    runtime.close()
    began = monotonic()
    again = local_runtime(home)
    adopted = sum(phases(again, f"shop{number}").count(READY) for number in range(20))
    adoption_s = monotonic() - began
    again.close()
    with capsys.disabled():
        print(f"\n100 instances ready in {took_s:.2f} s, {memory_mb:.1f} MB each, adopted in {adoption_s * 1000:.0f} ms")
    assert adopted == 100
    assert took_s < 20
    assert memory_mb < 25
    assert adoption_s < 1
