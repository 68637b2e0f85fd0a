"""up and down: a process that outlives its terminal, waited for until it answers and until it is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctl import settings as configuration
from ctl.cli import daemonising
from ctl.errors import BackendError, CtlError, TimedOut
from ctl.settings import Settings
from tests.cli.console import Console

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("MSXFCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MSXFCTL_ROOT", str(ROOT))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    known = configuration.load()
    yield known
    pid = daemonising.pid_of(known)
    if pid:
        os.kill(pid, signal.SIGKILL)


def command(settings: Settings) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.cli.socket_daemon", str(settings.home))


def started(settings: Settings) -> "subprocess.Popen[bytes]":
    child = daemonising.start(settings, command(settings))
    daemonising.wait_ready(settings, child, PATIENCE_S)
    return child


def test_it_starts_in_a_session_of_its_own_and_writes_to_the_log(settings: Settings) -> None:
    child = started(settings)
    assert daemonising.pid_of(settings) == child.pid
    assert os.getsid(child.pid) == child.pid
    assert daemonising.log_of(settings).read_text() == "it serves\n"
    assert settings.home.stat().st_mode & 0o077 == 0


def test_up_says_that_it_is_up_already_and_where(settings: Settings, console: Console) -> None:
    child = started(settings)
    ran = console.run("up", "-o", "json")
    assert (ran.status, ran.document["already"], ran.document["pid"]) == (0, True, child.pid)
    assert ran.document["gateway"] == "http://127.0.0.1:18080"
    text = console.run("up").out
    assert f"msxfctl is up already: local, 312 services in the catalog, process {child.pid}" in text
    assert "gateway  http://127.0.0.1:18080" in text


def test_one_that_ends_at_once_shows_its_last_words(settings: Settings) -> None:
    child = daemonising.start(settings, (sys.executable, "-c", "print('no port is free'); raise SystemExit(5)"))
    with pytest.raises(CtlError, match="ended with status 5 before it was ready") as caught:
        daemonising.wait_ready(settings, child, PATIENCE_S)
    assert caught.value.found == "no port is free"


def test_one_that_never_answers_is_late(settings: Settings) -> None:
    child = daemonising.start(settings, (sys.executable, "-c", "import time; time.sleep(60)"))
    try:
        with pytest.raises(TimedOut, match="not ready after"):
            daemonising.wait_ready(settings, child, 0.2)
    finally:
        child.kill()
        child.wait()


def test_down_asks_and_waits_until_it_is_gone(settings: Settings, console: Console) -> None:
    child = started(settings)
    began = time.monotonic()
    stopper = subprocess.Popen([sys.executable, "-m", "ctl.cli.main", "down", "--keep-instances"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = stopper.communicate(timeout=PATIENCE_S)
    child.wait(PATIENCE_S)
    assert (stopper.returncode, err) == (0, "")
    assert "msxfctl is down: instances and gateway go on" in out
    assert "undo   msxfctl up" in out
    assert daemonising.pid_of(settings) is None
    assert time.monotonic() - began < PATIENCE_S


def test_one_that_is_gone_before_it_answers_is_down(settings: Settings, console: Console) -> None:
    leaving = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3)"])
    (settings.home / "run").mkdir(parents=True)
    (settings.home / "run" / "daemon.pid").write_text(str(leaving.pid))
    console.plane.failing["shutdown"] = BackendError("the connection broke")
    assert console.run("down").status == 0
    leaving.wait()
    settings.database.touch()
    assert console.run("down").status == 5, "without a process there is nothing to wait for"


def test_down_without_a_daemon_is_nothing_to_do(settings: Settings, console: Console) -> None:
    ran = console.run("down")
    assert (ran.status, ran.out, console.plane.calls) == (0, f"no daemon runs in {settings.home}\n", [])


def test_down_without_a_daemon_stops_what_it_left(settings: Settings, console: Console) -> None:
    settings.home.mkdir()
    settings.database.touch()
    assert console.run("down").status == 0
    assert ("shutdown", {"instances": True}) in console.plane.calls


def test_down_in_prod_asks(settings: Settings, console: Console) -> None:
    settings.home.mkdir()
    settings.database.touch()
    console.plane.environment = "prod"
    assert console.run("down").status == 3
    assert console.run("down", typed="prod\n").status == 0
    assert console.plane.changes == ["shutdown"]


def test_dry_runs_start_and_stop_nothing(settings: Settings, console: Console) -> None:
    assert console.run("up", "--dry-run").out.startswith(f"would start a daemon in {settings.home}")
    assert not settings.home.exists()
    started(settings)
    ran = console.run("down", "--dry-run", "-o", "json")
    assert (ran.document["instances"], console.plane.changes) == (1004, [])
    assert console.run("up", "--dry-run", "-o", "json").document["pid"] == daemonising.pid_of(settings)


def test_one_that_runs_and_does_not_answer_is_not_started_twice(settings: Settings, console: Console) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (settings.home / "run").mkdir(parents=True)
        (settings.home / "run" / "daemon.pid").write_text(str(sleeper.pid))
        ran = console.run("up")
        assert (ran.status, f"process {sleeper.pid}" in ran.err) == (3, True)
        assert console.run("doctor").status == 1
        with pytest.raises(TimedOut, match="still runs after"):
            daemonising.wait_gone(sleeper.pid, 0.1)
    finally:
        sleeper.kill()
        sleeper.wait()
        (settings.home / "run" / "daemon.pid").unlink()


def test_a_process_that_has_ended_and_was_not_waited_for_is_gone(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    deadline = time.monotonic() + PATIENCE_S
    while daemonising.is_alive(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not daemonising.is_alive(child.pid)
    child.wait()


@pytest.mark.parametrize("text", ["", "not a number", "999999999"])
def test_a_stale_pid_file_is_no_daemon(text: str, settings: Settings) -> None:
    (settings.home / "run").mkdir(parents=True)
    (settings.home / "run" / "daemon.pid").write_text(text)
    assert daemonising.standing(settings) == daemonising.Standing(pid=None, answers=False, log=settings.home / "logs" / "daemon.log")
