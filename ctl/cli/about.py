"""msxfctl doctor, version, completion: msxfctl about itself."""

import os
import stat
import sys

import click

from ctl.cli import daemonising
from ctl.cli.asked import Asked
from ctl.cli.screens import records
from ctl.cli.show import Screen
from ctl.cli.verb import Verb
from ctl.errors import CtlError
from ctl.model.view import CheckView

SHELLS = ("bash", "zsh", "fish")
HOW = {
    "bash": 'eval "$(msxfctl completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(msxfctl completion zsh)"   in ~/.zshrc',
    "fish": "msxfctl completion fish > ~/.config/fish/completions/msxfctl.fish",
}


@click.command(cls=Verb, examples=("msxfctl doctor", "msxfctl doctor -o json"))
@click.pass_obj
def doctor(asked: Asked) -> int:
    """Is everything that msxfctl stands on in order? Changes nothing; exit status 1 where a check failed."""
    rows = [] if asked.server else [*_here(asked)]
    try:
        with asked.plane() as there:
            rows += there.plane.doctor()
    except CtlError as error:
        found = " ".join(filter(None, (error.message.splitlines()[0], error.found)))
        rows.append(CheckView(check="plane", state="fail", found=found, remedy=error.remedy))
    Screen(asked).answer("doctor/1", {"checks": rows}, lambda look: records.checks(rows, look))
    return 1 if any(one["state"] == "fail" for one in rows) else 0


def _here(asked: Asked) -> list[CheckView]:
    """Check what only this machine can tell: the state folder, and whether a daemon runs."""
    settings = asked.settings()
    return [_home(str(settings.home)), _daemon(daemonising.standing(settings))]


def _home(home: str) -> CheckView:
    try:
        found = os.stat(home)
    except OSError:
        return CheckView(check="home", state="warn", found=f"{home} does not exist yet", remedy="msxfctl up makes it")
    open_to = stat.S_IMODE(found.st_mode) & 0o077
    if found.st_uid != os.getuid():
        return CheckView(check="home", state="fail", found=f"{home} belongs to another user", remedy="set MSXFCTL_HOME to a folder of yours")
    if open_to:
        return CheckView(check="home", state="warn", found=f"{home} is open to other users (mode {stat.S_IMODE(found.st_mode):o})", remedy=f"chmod 700 {home}")
    return CheckView(check="home", state="ok", found=f"{home}, for this user alone", remedy="")


def _daemon(found: daemonising.Standing) -> CheckView:
    if found.answers:
        return CheckView(check="daemon", state="ok", found=f"process {found.pid} answers", remedy="")
    if found.pid:
        return CheckView(check="daemon", state="fail", found=f"process {found.pid} runs and does not answer", remedy=f"see {found.log}")
    return CheckView(check="daemon", state="warn", found="none runs: nothing is repaired, and no rollout goes on by itself", remedy="msxfctl up")


@click.command(cls=Verb, examples=("msxfctl version", "msxfctl version -o json"))
@click.pass_obj
def version(asked: Asked) -> None:
    """The version of msxfctl and of the Python it runs on."""
    from importlib import metadata

    python = ".".join(map(str, sys.version_info[:3]))
    body = {"msxfctl": metadata.version("msxfctl"), "python": python, "home": str(asked.settings().home)}
    Screen(asked).answer("version/1", body, lambda _: [f"msxfctl {body['msxfctl']}   Python {python}   home {body['home']}"])


@click.command(cls=Verb, examples=tuple(HOW.values()))
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """The script that completes commands, options and service names in SHELL."""
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    assert known is not None
    screen = Screen(ctx.ensure_object(Asked))
    screen.raw(known(ctx.find_root().command, {}, "msxfctl", "_MSXFCTL_COMPLETE").source())
