"""msxfctl services, show, status: looking at what runs."""

import time
from collections.abc import Iterable
from functools import partial

import click

from ctl.cli import options, watching
from ctl.cli.asked import Asked
from ctl.cli.following import DETACHED, Follower, body, last_word
from ctl.cli.look import Look
from ctl.cli.reach import Reached
from ctl.cli.screens import fleet, marks
from ctl.cli.show import Screen
from ctl.cli.verb import Verb
from ctl.cli.watching import Watch

LOOKS_APART = 4


@click.command(
    cls=Verb,
    examples=("msxfctl services", "msxfctl services pay --domain middle", "msxfctl services --state down -o json"),
    short_help="The services, what runs of each, and how it is.",
)
@click.argument("match", default="")
@click.option("--domain", default="", help="Only of this domain.")
@click.option("--state", type=click.Choice(list(marks.STATES)), default=None, help="Only in this state.")
@click.pass_obj
def services(asked: Asked, match: str, domain: str, state: str | None) -> None:
    """The services, what runs of each, and how it is. MATCH is a part of the name."""
    with asked.plane() as there:
        rows = [row for row in there.plane.services(domain=domain, match=match) if state in (None, row["state"])]
    rows.sort(key=lambda row: row["name"])
    Screen(asked).answer("services/1", {"services": rows}, lambda look: fleet.services(rows, look))


@click.command(cls=Verb, examples=("msxfctl show risk", "msxfctl show risk -o yaml"), short_help="Everything about one service.")
@options.service
@click.pass_obj
def show(asked: Asked, service: str) -> None:
    """Everything about one service: its instances, its rollout, who it needs and who needs it."""
    with asked.plane() as there:
        found = there.plane.service(service)
    Screen(asked).answer("service/1", found, lambda look: fleet.service(found, look))


@click.command(
    cls=Verb,
    examples=("msxfctl status", "msxfctl status risk", "msxfctl status risk --watch"),
    short_help="What needs you first, then what moves.",
)
@options.service_or_all
@click.option("--watch", is_flag=True, help="Keep looking, until its rollout is over or ^C.")
@click.pass_obj
def status(asked: Asked, service: str | None, watch: bool) -> int:
    """How everything stands: what needs you first, then what moves. With SERVICE: its groups, its rollout and what it waits for."""
    screen = Screen(asked)
    with asked.plane() as there:
        if watch:
            return _watch_one(asked, there, screen, service) if service else _watch_all(asked, there, screen)
        if service:
            _one(there, screen, service)
        else:
            found = there.plane.status()
            screen.answer("status/1", found, lambda look: fleet.status(found, look))
    return 0


def _one(there: Reached, screen: Screen, name: str) -> None:
    """Show a service and its newest rollout, running or over."""
    found = there.plane.service(name)
    newest = [found["current"]] if found["current"] else there.plane.rollouts(service=name, limit=1)
    screen.answer("service-status/1", {**found, "newest": newest[0] if newest else None}, lambda look: fleet.standing(found, newest, look))


def _watch_one(asked: Asked, there: Reached, screen: Screen, name: str) -> int:
    """Follow the service's rollout; without an active one its status is the answer."""
    current = there.plane.service(name)["current"]
    if current is None:
        _one(there, screen, name)
        return 0
    watch = Watch(view=current)
    try:
        Follower(asked, there, screen).follow([watch])
    except KeyboardInterrupt:
        return DETACHED
    screen.answer("rollout/1", body(watch), lambda look: last_word(there, watch, look))
    return watching.EXIT[watch.result]


def _watch_all(asked: Asked, there: Reached, screen: Screen) -> int:
    """Look again every second until ^C: painted over on a terminal, else each time that something changed."""
    block, before = screen.block(), [""]
    try:
        while True:
            found = there.plane.status()
            lines = fleet.status(found, screen.beside())
            if block:
                block.repaint(lines)
            elif lines != before:
                before = lines
                screen.item("status/1", found, partial(_as_they_are, lines))
            time.sleep(asked.poll_s * LOOKS_APART)
    except KeyboardInterrupt:
        return DETACHED


def _as_they_are(lines: Iterable[str], _: Look) -> Iterable[str]:
    return lines
