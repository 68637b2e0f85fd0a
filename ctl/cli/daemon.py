"""msxfctl up, down, daemon: the control plane as a process of this machine."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctl.cli import confirming, daemonising, options, reach
from ctl.cli.asked import Asked
from ctl.cli.look import Look
from ctl.cli.reach import Reached
from ctl.cli.screens import marks
from ctl.cli.show import Screen
from ctl.cli.verb import Verb
from ctl.errors import BackendError, BadInput, Refused, TimedOut

if TYPE_CHECKING:
    from ctl.settings import Settings

LOST_S = 5.0


@click.command(cls=Verb, examples=("msxfctl up", "MSXFCTL_HOME=/var/lib/msxfctl msxfctl up"))
@options.length("--timeout", default="60s", help="How long it may take to be ready.")
@options.dry_run
@click.pass_obj
def up(asked: Asked, timeout: float, dry_run: bool) -> None:
    """Start the daemon in the background and wait until it answers. Runs it already, it says so."""
    _require_this_machine(asked)
    screen, settings = Screen(asked), asked.settings()
    found = daemonising.standing(settings)
    if dry_run:
        said = f"a daemon runs already (process {found.pid})" if found.answers else f"would start a daemon in {settings.home}"
        return screen.answer("would-start/1", {"dry_run": True, "pid": found.pid, "home": str(settings.home)}, lambda _: [said, "nothing was changed"])
    if not found.answers:
        _start(screen, settings, found, timeout)
    return _tell(screen, settings, already=found.answers)


def _start(screen: Screen, settings: "Settings", found: daemonising.Standing, timeout_s: float) -> None:
    if found.pid:
        remedy = f"see {found.log}; wait, or end that process"
        raise Refused(f"a daemon runs in {settings.home} and does not answer", found=f"process {found.pid}", remedy=remedy)
    screen.say(f"starting the daemon in {settings.home} …")
    daemonising.wait_ready(settings, daemonising.start(settings), timeout_s)


def _tell(screen: Screen, settings: "Settings", *, already: bool) -> None:
    daemon = reach.daemon_of(settings)
    assert daemon is not None, "it has just answered"
    status, pid = daemon.status(), daemonising.pid_of(settings)
    body: dict[str, Any] = {
        "pid": pid,
        "already": already,
        "socket": str(settings.socket),
        "api": _api(settings.home),
        "gateway": status["gateway"],
        "log": str(daemonising.log_of(settings)),
        "environment": status["environment"],
        "services": status["services"],
    }
    screen.answer("daemon/1", body, lambda look: [_headline(body, look), *_addresses(body), "next   msxfctl status   Undo: msxfctl down"])


def _headline(body: dict[str, Any], look: Look) -> str:
    state = "is up already" if body["already"] else "is up"
    facts = f"{body['environment']}, {marks.count(body['services'], 'service')} in the catalog, process {body['pid']}"
    return f"{look.paint('good', marks.READY)} msxfctl {state}: {facts}"


def _addresses(body: dict[str, Any]) -> list[str]:
    return [f"  {name:<8} {body[name]}" for name in ("gateway", "api", "socket", "log") if body[name]]


def _api(home: Path) -> str:
    try:
        return (home / "run" / "api.address").read_text().strip()
    except OSError:
        return ""


@click.command(cls=Verb, examples=("msxfctl down", "msxfctl down --keep-instances"))
@click.option("--keep-instances", is_flag=True, help="Stop the daemon alone; instances and gateway go on.")
@options.length("--timeout", default="2m", help="How long it may take.")
@options.dry_run
@options.yes
@click.pass_obj
def down(asked: Asked, keep_instances: bool, timeout: float, dry_run: bool, yes: bool) -> None:
    """Stop the daemon and everything it runs; instances finish the requests they have."""
    _require_this_machine(asked)
    screen, settings = Screen(asked), asked.settings()
    pid = daemonising.pid_of(settings)
    body = {"pid": pid, "instances": keep_instances, "home": str(settings.home)}
    if pid is None and (keep_instances or not settings.database.exists()):
        return screen.answer("daemon-down/1", body, lambda _: [f"no daemon runs in {settings.home}"])
    with asked.plane() as there:
        if dry_run:
            return _would_stop(there, screen, keep_instances)
        if not keep_instances:
            confirming.environment(screen, there, doing="stop everything", yes=yes)
        _stop(there, pid, instances=not keep_instances)
    if pid is not None:
        daemonising.wait_gone(pid, timeout)
    kept = "instances and gateway go on" if keep_instances else "nothing runs any more"
    said = f"msxfctl is down: {kept}" if pid else f"no daemon ran in {settings.home}; what one may have left is stopped"
    return screen.answer("daemon-down/1", body, lambda look: [f"{look.paint('dim', marks.STOPPED)} {said}", "undo   msxfctl up"])


def _stop(there: Reached, pid: int | None, *, instances: bool) -> None:
    """Ask the daemon to stop; it may be gone before its answer is here."""
    try:
        there.plane.shutdown(instances=instances)
    except BackendError as lost:
        if pid is None:
            raise
        try:
            daemonising.wait_gone(pid, LOST_S)
        except TimedOut:
            raise lost from None


def _would_stop(there: Reached, screen: Screen, keep_instances: bool) -> None:
    status = there.plane.status()
    running = 0 if keep_instances else status["instances"]
    said = f"would stop the daemon and {marks.count(running, 'instance')}" if running else "would stop the daemon alone"
    active = [one["service"] for one in status["rolling"]]
    rest = [f"  rollouts that would rest: {marks.listing(active)}"] if active else []
    body = {"dry_run": True, "instances": running, "rollouts": active}
    screen.answer("would-stop/1", body, lambda _: [said, *rest, "nothing was changed"])


@click.command(cls=Verb, examples=("msxfctl daemon",))
@click.pass_obj
def daemon(asked: Asked) -> None:
    """Run the daemon in the foreground, its log on standard error, until ^C; instances go on."""
    _require_this_machine(asked)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "ctl.daemon"])


def _require_this_machine(asked: Asked) -> None:
    if asked.server:
        raise BadInput("a daemon is started and stopped on its own machine", found=f"--server {asked.server}", remedy="leave --server and MSXFCTL_SERVER out")
