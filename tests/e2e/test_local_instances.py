"""Instances of the local runtime while nothing around them is killed: what they are given, how they are asked, what is left of them."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ctl.backends.clock import SystemClock
from ctl.backends.runtimes.local.launching import LauncherDoor
from ctl.backends.runtimes.local.runtime import LocalRuntime
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.wire import Order
from ctl.errors import BackendError
from ctl.model.fleet import Instance, InstancePhase
from ctl.model.service import Health
from tests.contract.stages import FORKED, STARTED, instances, local_runtime, phases, release, wait_until
from tests.e2e import homes

READY, UNREADY, DRAINING = InstancePhase.READY, InstancePhase.UNREADY, InstancePhase.DRAINING
SHOP = "shop"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calm") / "home"


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[LocalRuntime]:
    runtime = local_runtime(home)
    yield runtime
    runtime.close(stop_instances=True, within_s=0.5)


@pytest.fixture
def runtime(home: Path, shared: LocalRuntime) -> Iterator[LocalRuntime]:
    yield shared
    for group in shared.observe().get(SHOP, ()):
        shared.remove(SHOP, group.release)
    assert homes.running(home) == set()


def ready(runtime: LocalRuntime, count: int) -> list[Instance]:
    wait_until(lambda: phases(runtime, SHOP) == [READY] * count)
    return instances(runtime, SHOP)


def pids(found: list[Instance]) -> set[int]:
    return {one.pid for one in found if one.pid is not None}


def test_no_slot_gets_two_processes_when_everybody_asks_at_once(home: Path, runtime: LocalRuntime) -> None:
    askers = [threading.Thread(target=runtime.ensure, args=(release(SHOP), 5)) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    found = ready(runtime, 5)
    assert homes.running(home, SHOP) == pids(found)
    assert len({one.address for one in found}) == 5


def test_the_launcher_refuses_a_second_process_for_an_instance(home: Path, runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP), 1)
    (one,) = ready(runtime, 1)
    site = Site(home=home)
    paths = {"record": str(site.record(one.id)), "lock": str(site.lock(one.id)), "log": str(site.log(one.id)), "folder": "/"}
    order = Order(id=one.id, generation=2, port=1, argv=("sleep", "60"), environment={}, **paths)
    (outcome,) = LauncherDoor(site).start([order])
    assert outcome.held
    assert homes.running(home, SHOP) == {one.pid}


@pytest.mark.parametrize("command", [FORKED, STARTED])
def test_what_an_instance_leaves_in_its_group_ends_with_it(home: Path, runtime: LocalRuntime, command: tuple[str, ...]) -> None:
    family = release(SHOP, mode="family", command=command)
    runtime.ensure(family, 1)
    (one,) = ready(runtime, 1)
    wait_until(lambda: len(homes.running(home, SHOP)) == 2)
    first = homes.running(home, SHOP)
    assert one.pid is not None
    os.kill(one.pid, signal.SIGKILL)
    wait_until(lambda: instances(runtime, SHOP)[0].restarts == 1 and phases(runtime, SHOP) == [READY])
    wait_until(lambda: len(homes.running(home, SHOP)) == 2)
    assert not first & homes.running(home, SHOP)
    runtime.remove(SHOP, family.id)
    assert homes.running(home, SHOP) == set()


def test_a_request_in_flight_ends_before_its_instance_does(runtime: LocalRuntime, home: Path) -> None:
    runtime.ensure(release(SHOP), 1)
    (one,) = ready(runtime, 1)
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(homes.ask(one, "/hold")))
    caller.start()
    data = home / "data" / SHOP
    wait_until((data / "held").exists)
    assert data.stat().st_mode & 0o777 == 0o700
    runtime.drain([one.id], SystemClock().now() + timedelta(seconds=10))
    wait_until(lambda: "told to go" in runtime.logs(one.id, 10))
    assert phases(runtime, SHOP) == [DRAINING]
    (data / "go").touch()
    wait_until(lambda: not instances(runtime, SHOP))
    caller.join()
    assert answers == [{"held": True}]
    assert runtime.logs(one.id, 1) == ("goes",)


def test_an_instance_that_answers_nothing_any_more_is_killed_and_restarted(runtime: LocalRuntime) -> None:
    hasty = replace(release(SHOP), health=Health(interval_s=0.05, timeout_s=0.05))
    reasons: list[str] = []
    runtime.on_change(lambda service: reasons.extend(one.reason for one in instances(runtime, service)))
    runtime.ensure(hasty, 1)
    (one,) = ready(runtime, 1)
    homes.ask(one, "/silence")
    wait_until(lambda: instances(runtime, SHOP)[0].restarts == 1)
    assert "does not answer" in reasons
    assert "did not answer 10 probes in a row and was killed" in reasons
    ready(runtime, 1)


def test_readiness_follows_the_answers(runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP), 1)
    (one,) = ready(runtime, 1)
    homes.ask(one, "/say/unready")
    wait_until(lambda: phases(runtime, SHOP) == [UNREADY])
    assert instances(runtime, SHOP)[0].reason == "was told to be unready"
    homes.ask(one, "/say/ready")
    ready(runtime, 1)
    homes.ask(one, "/say/500")
    wait_until(lambda: phases(runtime, SHOP) == [UNREADY])
    assert instances(runtime, SHOP)[0].reason == "answers 500"
    homes.ask(one, "/say/ready")
    assert ready(runtime, 1)[0].restarts == 0


def test_a_forked_instance_has_nothing_of_the_launcher(runtime: LocalRuntime, home: Path) -> None:
    runtime.ensure(release(SHOP, command=(*FORKED, "--fast", "x y")), 1)
    (one,) = ready(runtime, 1)
    about = homes.ask(one, "/about")
    unpacked = str(home.parent / "home-unpacked")
    assert about["argv"] == [f"{unpacked}/shop/__main__.py", "--fast", "x y"]
    assert about["main"] == "__main__"
    assert about["cwd"] == about["path"][0] == unpacked
    assert str(homes.ROOT) not in about["path"]
    assert not [name for name in about["modules"] if name.partition(".")[0] in ("ctl", "reference_apps")]
    assert about["environment"] == {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        "PATH": about["environment"]["PATH"],
        "PYTHONPATH": unpacked,
        "PYTHONUNBUFFERED": "1",
        "MSXF_CONFIG_MODE": "good",
        "MSXF_CONFIG_AFTER_S": "0.2",
        "MSXF_SERVICE": SHOP,
        "MSXF_RELEASE": one.release,
        "MSXF_INSTANCE": one.id,
        "MSXF_ENV": "local",
        "MSXF_ZONE": "local",
        "MSXF_PORT": one.address.rpartition(":")[2],
        "MSXF_DATA_DIR": str(home / "data" / SHOP),
        "MSXF_GATEWAY": "http://127.0.0.1:1",
    }
    assert len(about["descriptors"]) < 12, "its streams, its lock, its connections; the launcher had more"


def test_any_program_can_be_an_instance(runtime: LocalRuntime, home: Path) -> None:
    runtime.ensure(release(SHOP, command=STARTED), 2)
    one, _ = ready(runtime, 2)
    about = homes.ask(one, "/about")
    assert about["pid"] == one.pid
    assert about["cwd"] == str(home.parent / "home-unpacked")
    runtime.drain([one.id], SystemClock().now() + timedelta(seconds=5))
    wait_until(lambda: len(instances(runtime, SHOP)) == 1)
    assert runtime.logs(one.id, 1) == ("goes",)


def test_a_program_that_does_not_exist_says_so(runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP, command=("no-such-program",)), 1)
    wait_until(lambda: instances(runtime, SHOP)[0].reason.endswith("cannot run no-such-program: No such file or directory"))
    assert "exit status 127" in instances(runtime, SHOP)[0].reason


def test_an_instance_that_speaks_old_http_is_understood(runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP, mode="old"), 1)
    ready(runtime, 1)


def test_a_slot_moves_to_another_port_when_a_stranger_has_its_own(runtime: LocalRuntime) -> None:
    runtime.ensure(release(SHOP, mode="crash", after_s=0.1), 1)
    (before,) = instances(runtime, SHOP)
    host, _, port = before.address.partition(":")
    with socket.create_server((host, int(port))):
        wait_until(lambda: instances(runtime, SHOP)[0].restarts >= 1)
        assert instances(runtime, SHOP)[0].address != before.address


def test_a_module_ends_as_it_would_under_python(runtime: LocalRuntime, home: Path) -> None:
    reasons: list[str] = []
    runtime.on_change(lambda service: reasons.extend(one.reason for one in instances(runtime, service)))
    runtime.ensure(release(SHOP, mode="crash", after_s=0.0), 1)
    wait_until(lambda: any(reason.startswith("exit status 1 after 0.") and reason.endswith(": the table of rates is missing") for reason in reasons))


def test_what_cannot_be_written_down_is_not_started_but_is_drained(runtime: LocalRuntime, home: Path) -> None:
    runtime.ensure(release(SHOP), 1)
    (one,) = ready(runtime, 1)
    groups, aside = home / "run" / "groups", home / "run" / "aside"
    groups.rename(aside)
    groups.write_text("in the way")
    try:
        with pytest.raises(BackendError, match="could not start instances of shop"):
            runtime.ensure(release(SHOP), 3)
        assert pids(instances(runtime, SHOP)) == homes.running(home) == {one.pid}
        runtime.drain([one.id], SystemClock().now() + timedelta(seconds=10))
        wait_until(lambda: homes.running(home) == set())
    finally:
        groups.unlink()
        aside.rename(groups)
