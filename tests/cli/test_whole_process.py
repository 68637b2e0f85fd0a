"""The command as a process of its own, against a daemon at a unix socket: how quick it is, what it imports, terminals, ^C and completion."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.cli import stories
from tests.cli.socket_daemon import Daemon, fleet, serving

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "ctl.cli.main")
SERVICES, RUNS, GOAL_S, PATIENCE_S = 312, 12, 0.120, 30.0
STARTS = 2.7
"""A machine that is slow now, for whatever reason, may take this many starts of an interpreter with its command line library."""
THIRD_PARTY = ("pydantic", "yaml", "sqlmodel", "sqlalchemy", "fastapi", "starlette", "aiohttp", "jinja2", "uvicorn", "prometheus_client")
HEAVY = (*THIRD_PARTY, "asyncio", "ctl.control", "ctl.wiring", "ctl.backends", "ctl.decide", "ctl.model.service")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def home(tmp_path: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home of somebody who has used the command before: its modules are compiled."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(compiled))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    with serving(home, fleet(SERVICES)) as daemon:
        yield daemon


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "MSXFCTL_HOME": str(home), "MSXFCTL_ROOT": str(ROOT), "PYTHONPATH": str(ROOT), **more}


def run(home: Path, *args: str, python: Sequence[str] = COMMAND, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*python, *args], env=environment(home, **more), capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def imported(home: Path, *args: str) -> set[str]:
    """Return the modules that a command imports."""
    ran = run(home, *args, python=(sys.executable, "-X", "importtime", "-m", "ctl.cli.main"))
    assert ran.returncode == 0, ran.stderr
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("command", ["services", "status", "show risk", "status risk"])
def test_looking_imports_nothing_heavy(command: str, home: Path, daemon: Daemon) -> None:
    modules = imported(home, *command.split())
    assert "ctl.client" in modules
    assert [name for name in sorted(modules) if name.startswith(HEAVY)] == []


@pytest.mark.parametrize("command", ["--help", "deploy --help", "catalog --help", ""])
def test_help_does_not_even_import_the_client(command: str, home: Path) -> None:
    modules = imported(home, *command.split())
    assert [name for name in sorted(modules) if name.startswith((*HEAVY, "http.client", "ctl.client", "ssl"))] == []


@pytest.mark.parametrize("command", ["services", "status"])
def test_looking_answers_in_no_time(command: str, home: Path, daemon: Daemon) -> None:
    assert run(home, command).returncode == 0
    costs = [(*_cost(home, command), _processor_s([sys.executable, "-c", "import click"], home)) for _ in range(RUNS)]
    took_s, starts = min(own for own, _, _ in costs), median(own / start for own, _, start in costs)
    print(f"msxfctl {command}: processor {1000 * took_s:.0f} ms, {starts:.1f} starts, whole process {1000 * median(wall for _, wall, _ in costs):.0f} ms")
    assert took_s < GOAL_S or starts < STARTS, "its own processor time, each time beside a bare start: a machine's slow hours must not count"


def _cost(home: Path, command: str) -> tuple[float, float]:
    """Return the seconds of processor time and of the clock that a command takes."""
    began = time.perf_counter()
    return _processor_s([*COMMAND, command], home), time.perf_counter() - began


def _processor_s(command: list[str], home: Path) -> float:
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_all_services_come_through_a_pipe(home: Path, daemon: Daemon) -> None:
    ran = run(home, "services")
    assert (len(ran.stdout.splitlines()), ran.stderr) == (SERVICES + 1, "")
    assert len(json.loads(run(home, "services", "-o", "json").stdout)["services"]) == SERVICES


def test_a_reader_that_has_enough_is_no_trouble(home: Path, daemon: Daemon) -> None:
    command = " ".join((*COMMAND, "services")) + " | head -1"
    ran = subprocess.run(["bash", "-c", command], env=environment(home), capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ran.stdout.startswith("  SERVICE")
    assert "Traceback" not in ran.stderr
    assert "Failed" not in ran.stderr


def test_a_terminal_that_speaks_ascii_gets_an_answer(home: Path, daemon: Daemon) -> None:
    ran = run(home, "services", PYTHONIOENCODING="ascii")
    assert (ran.returncode, "service-001" in ran.stdout) == (0, True)


def test_an_interrupt_detaches_and_the_rollout_goes_on(home: Path, daemon: Daemon) -> None:
    command = [*COMMAND, "deploy", "risk", "--version", "1.5.0"]
    deploy = subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _until(lambda: "rollout" in [name for name, _ in daemon.plane.calls])
        deploy.send_signal(signal.SIGINT)
        out, err = deploy.communicate(timeout=PATIENCE_S)
    finally:
        deploy.kill()
    assert (deploy.returncode, out) == (130, "")
    assert "detached from risk-r7: the rollout goes on." in err
    assert daemon.plane.changes == ["deploy"]


def test_on_a_real_terminal_the_block_is_painted_and_taken_away(home: Path, daemon: Daemon) -> None:
    daemon.plane.story("risk", stories.begun(), *([stories.halfway()] * 3), stories.live())
    seen, status = _at_a_terminal(home, "deploy", "risk", "--version", "1.5.0")
    assert status == 0
    assert "\x1b[2K" in seen
    assert "^C detaches" in seen
    last = seen.rpartition("\x1b[0J")[2]
    assert "risk 1.5.0 is live: 3 of 3 ready" in last
    assert "\x1b[32m●\x1b[0m" in last


def test_no_color_is_kept_at_a_real_terminal(home: Path, daemon: Daemon) -> None:
    seen, status = _at_a_terminal(home, "services", NO_COLOR="1")
    assert (status, "\x1b" in seen) == (0, False)
    assert seen.startswith(f"{SERVICES} services: ")


def _at_a_terminal(home: Path, *args: str, **more: str) -> tuple[str, int]:
    """Run a command at a pseudo terminal and return what appeared there, and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *args], env=environment(home, TERM="xterm", **more), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    seen, deadline = b"", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    return seen.decode(), process.wait(PATIENCE_S)


def complete(home: Path, line: str, **more: str) -> list[str]:
    words = line.split(" ")
    known = {"_MSXFCTL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    ran = run(home, **known, **more)
    assert ran.stderr == ""
    return [each.partition(",")[2] for each in ran.stdout.splitlines() if each]


def test_completion_knows_commands_services_and_versions(home: Path, daemon: Daemon) -> None:
    daemon.plane.build("risk", "1.5.0")
    assert complete(home, "msxfctl de") == ["deploy"]
    assert complete(home, "msxfctl catalog im") == ["impact"]
    assert complete(home, "msxfctl show ri") == ["risk"]
    assert complete(home, "msxfctl deploy risk fr") == ["fraud"]
    assert complete(home, "msxfctl deploy risk --version ") == ["1.5.0"]
    assert "--dry-run" in complete(home, "msxfctl deploy risk --d")


def test_without_a_daemon_completion_reads_file_names(home: Path, tmp_path: Path) -> None:
    for file in ("middle/risk.yaml", "middle/fraud.yaml", "base/sms.yaml", "schema/service.yaml", "environments.yaml"):
        (tmp_path / "catalog" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "catalog" / file).write_text("")
    known = {"MSXFCTL_CATALOG": str(tmp_path / "catalog")}
    assert complete(home, "msxfctl show ", **known) == ["sms", "fraud", "risk"]
    assert complete(home, "msxfctl show ", MSXFCTL_CATALOG="/nowhere") == []
    assert complete(home, "msxfctl show ", MSXFCTL_PORTS="nonsense") == []


def test_a_daemon_that_hangs_does_not_hang_the_shell(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (tmp_path / "catalog" / "middle").mkdir(parents=True)
    (tmp_path / "catalog" / "middle" / "risk.yaml").write_text("")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(home / "msxfctl.sock"))
        deaf.listen()
        began = time.monotonic()
        assert complete(home, "msxfctl show ", MSXFCTL_CATALOG=str(tmp_path / "catalog")) == ["risk"]
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_command(shell: str, home: Path) -> None:
    assert "_MSXFCTL_COMPLETE" in run(home, "completion", shell).stdout


def test_a_server_that_is_not_there_is_out_of_reach(home: Path) -> None:
    ran = run(home, "services", "--server", "http://127.0.0.1:1")
    assert (ran.returncode, ran.stdout) == (5, "")
    assert ran.stderr.startswith("Out of reach: no daemon answers at http://127.0.0.1:1")


def test_the_token_is_read_from_a_file(home: Path, tmp_path: Path) -> None:
    missing = run(home, "services", "--server", "http://127.0.0.1:1", "--token-file", str(tmp_path / "none"))
    assert (missing.returncode, "cannot be read" in " ".join(missing.stderr.split())) == (2, True)
    (tmp_path / "empty").write_text("\n")
    empty = run(home, "services", "--server", "http://127.0.0.1:1", MSXFCTL_TOKEN_FILE=str(tmp_path / "empty"))
    assert (empty.returncode, "holds no token" in " ".join(empty.stderr.split())) == (2, True)


def test_a_server_that_is_no_address_is_bad_input(home: Path) -> None:
    assert run(home, "services", "--server", "ftp://x").returncode == 2


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)
