"""Without a daemon the commands do it themselves: a release goes out, a second person is refused, and a daemon that comes later takes everything over."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.machine import ROOT
from tests.e2e.gateways import until
from tests.e2e.homes import launcher
from tests.e2e.plant import Plant, open_plant, processes_of

SERVICE, COUNT = "desk", 3
BAKES_S = 3.0


@contextmanager
def deploying(plant: Plant, version: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a deploy of its own beside the test; it is ended with the test."""
    command = [sys.executable, "-m", "ctl.cli.main", "deploy", SERVICE, "--version", version]
    process = subprocess.Popen(command, env=plant.machine.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def written(folder: Path) -> set[Path]:
    """Return everything in the folder, but for what tests and tools keep there for themselves."""
    return {path for path in folder.rglob("*") if not any(part == "__pycache__" or _is_ours(part) for part in path.relative_to(folder).parts)}


def _is_ours(part: str) -> bool:
    return part.startswith(".") and part != ".msxfctl"


def test_commands_do_it_alone_and_a_daemon_takes_over(tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    elsewhere = {"HOME": str(outside), "TMPDIR": str(outside), "XDG_CACHE_HOME": str(outside), "XDG_STATE_HOME": str(outside)}
    with open_plant(tmp_path, **elsewhere) as plant:
        times = tmp_path / "catalog" / "environments.yaml"
        times.write_text(times.read_text().replace("bake_s: 0.4", f"bake_s: {BAKES_S}"))
        before = written(ROOT) | written(tmp_path / "catalog")
        a_command_rolls_alone_and_a_second_is_refused(plant)
        a_daemon_adopts_what_it_finds(plant)
        down_leaves_nothing(plant)
        assert written(ROOT) | written(tmp_path / "catalog") == before
        assert list(outside.iterdir()) == []


def a_command_rolls_alone_and_a_second_is_refused(plant: Plant) -> None:
    for version in ("1.0.0", "1.1.0"):
        plant.machine.run("build", SERVICE, "--version", version)
    with deploying(plant, "1.0.0") as first:
        until("the first command acts", lambda: plant.home.joinpath("state.db").exists() and any(each["kind"] == "action.outcome" for each in plant.events()))
        second = plant.machine.run("deploy", SERVICE, "--version", "1.1.0", may_fail=True)
        assert first.poll() is None, "the first command ended too soon to be in anybody's way"
        assert second.returncode == 3, second.stderr
        assert re.search(rf":{first.pid}@\d+ is acting on it", " ".join(second.stderr.split())), second.stderr
        out, err = first.communicate(timeout=60)
        assert first.returncode == 0, out + err
    assert "1.0.0 is live: 3 of 3 ready" in out + err
    assert [each["id"] for each in plant.machine.ask("history", SERVICE)["rollouts"]] == ["desk-r1"], "the refused one changed nothing"


def a_daemon_adopts_what_it_finds(plant: Plant) -> None:
    before, gateway, parent = plant.slots(SERVICE), plant.machine.gateway_pid(), launcher(plant.home)
    assert len(before) == COUNT
    plant.machine.up()
    plant.versions[SERVICE] = 1
    plant.settled(SERVICE)
    plant.untouched(SERVICE)
    assert (plant.slots(SERVICE), plant.machine.gateway_pid(), launcher(plant.home)) == (before, gateway, parent)
    plant.no_open_intents()
    plant.intact()


def down_leaves_nothing(plant: Plant) -> None:
    assert len(processes_of(plant.home)) >= COUNT + 3, "the daemon, the launcher, the gateway and the instances are seen by this look"
    plant.machine.run("down", "--yes")
    assert processes_of(plant.home) == {}
