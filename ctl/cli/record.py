"""msxfctl history, logs, events: reading what happened."""

import click

from ctl.cli import options, tailing
from ctl.cli.asked import Asked
from ctl.cli.following import DETACHED
from ctl.cli.screens import records, rollouts
from ctl.cli.show import Screen
from ctl.cli.tailing import Filter, Sort
from ctl.cli.verb import Verb

LEVELS = ("debug", "info", "warning", "error")


@click.command(cls=Verb, examples=("msxfctl history risk", "msxfctl history risk --last 50 -o json"))
@options.service
@options.last(20, "rollouts", most=1000)
@click.pass_obj
def history(asked: Asked, service: str, last: int) -> None:
    """The rollouts of a service, newest first: who, why, and how each ended."""
    with asked.plane() as there:
        rows = there.plane.rollouts(service=service, limit=last)
    Screen(asked).answer("history/1", {"service": service, "rollouts": rows}, lambda look: rollouts.history(rows, look))


@click.command(
    cls=Verb,
    examples=("msxfctl logs risk", "msxfctl logs risk --release 1.6.0 --level error --last 20", "msxfctl logs risk --follow"),
)
@options.service
@click.option("--instance", default="", help="Only of this instance.")
@click.option("--release", default="", help="Only of this version or release.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), default=None, help="Only of this level or worse.")
@options.last(100, "lines")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until ^C.")
@click.pass_obj
def logs(asked: Asked, /, service: str, level: str | None, last: int, follow: bool, **where: str) -> int:
    """What the instances of a service wrote, in the order of time."""
    wanted, screen = Filter(service=service, level=level or "", last=last, **where), Screen(asked)
    with asked.plane() as there:
        if follow:
            try:
                tailing.logs(asked, there, screen, wanted)
            except KeyboardInterrupt:
                return DETACHED
        lines = tailing.newest(there, wanted)
    screen.answer("logs/1", {"service": service, "lines": lines}, lambda look: [line for one in lines for line in records.log_line(one, look)])
    return 0


@click.command(cls=Verb, examples=("msxfctl events", "msxfctl events --service risk --kind rollout", "msxfctl events --follow -o json"))
@options.of_service
@click.option("--kind", default="", help="Only kinds that begin so, e.g. rollout or action.outcome.")
@options.last(20, "events")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until ^C.")
@click.pass_obj
def events(asked: Asked, service: str | None, kind: str, last: int, follow: bool) -> int:
    """What happened last, and why; with --follow also what happens next."""
    screen, wanted = Screen(asked), Sort(service=service or "", kind=kind)
    with asked.plane() as there:
        rows = tailing.latest(there, wanted, last)
        if follow:
            try:
                tailing.events(asked, there, screen, wanted, rows)
            except KeyboardInterrupt:
                return DETACHED
    screen.answer("events/1", {"events": rows}, lambda look: [line for one in rows for line in records.event(one, look)])
    return 0
