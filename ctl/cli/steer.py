"""msxfctl pause, resume, promote, abort, scale: what a person does to a service while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from ctl.cli import confirming, options
from ctl.cli.asked import Asked
from ctl.cli.following import body, last_word
from ctl.cli.paint import wrap
from ctl.cli.reach import Reached
from ctl.cli.release import BACK, finish
from ctl.cli.screens import marks, rollouts
from ctl.cli.show import Screen
from ctl.cli.verb import Verb
from ctl.cli.watching import Watch
from ctl.errors import BadInput, Refused
from ctl.model.view import RolloutView


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A verb on a rollout: what it would do, in words, and the command that takes it back."""

    verb: str
    would: str
    undo: str

    def show(self, there: Reached, screen: Screen, service: str) -> int:
        """Say what the verb would do to the rollout that runs. Raises Refused without one."""
        current = there.plane.service(service)["current"]
        if current is None:
            raise Refused(f"{service} has no rollout to {self.verb}", remedy=f"msxfctl history {service}")
        said = f"would {self.verb} {current['id']} ({marks.journey(current)}, {rollouts.place(current)}): {self.would}"
        facts = {"dry_run": True, "verb": self.verb, "rollout": current}
        screen.answer("would-change/1", facts, lambda look: [*wrap(said, look.wide, "  "), "nothing was changed"])
        return 0

    def said(self, there: Reached, screen: Screen, service: str, view: RolloutView) -> int:
        """Say how the rollout stands now, and how to take the change back."""
        undo = f"msxfctl {self.undo.format(**view)}"
        watch = Watch(view=view, service=there.plane.service(service))
        screen.answer("rollout/1", {**body(watch), "undo": undo}, lambda look: [*last_word(there, watch, look), f"undo   {undo}"])
        return 0


PAUSE = Change(verb="pause", would="no new step; lost instances are still replaced, sizes and traffic stay", undo="resume {service}")
RESUME = Change(verb="resume", would="it goes on where it stopped, with the time that was left", undo="pause {service}")
PROMOTE = Change(verb="promote", would="it passes the gate it stands at", undo="abort {service}")
ABORT = Change(verb="abort", would="the old release gets all of the traffic again, the new one drains and goes", undo="deploy {service} --version {to_version}")


@click.command(cls=Verb, examples=('msxfctl pause risk --reason "check velocity counts"',))
@options.service
@options.reason
@options.dry_run
@click.pass_obj
def pause(asked: Asked, service: str, reason: str, dry_run: bool) -> int:
    """Hold a rollout where it is: no new step, nothing is taken back."""
    screen = Screen(asked)
    with asked.plane() as there:
        return PAUSE.show(there, screen, service) if dry_run else PAUSE.said(there, screen, service, there.plane.pause(service, reason=reason))


@click.command(cls=Verb, examples=("msxfctl resume risk", "msxfctl resume risk --wait"))
@options.service
@options.reason
@options.dry_run
@options.wait(default=False)
@options.timeout
@click.pass_obj
def resume(asked: Asked, /, **how: Any) -> int:
    """Let a paused rollout go on."""
    with asked.plane() as there:
        return _go_on(asked, there, RESUME, lambda: there.plane.resume(how["service"], reason=how["reason"]), how)


@click.command(cls=Verb, examples=("msxfctl promote risk", "msxfctl promote risk --full --wait"))
@options.service
@click.option("--full", is_flag=True, help="Pass every step that remains; health and budgets are still kept.")
@options.reason
@options.dry_run
@options.yes
@options.wait(default=False)
@options.timeout
@click.pass_obj
def promote(asked: Asked, /, full: bool, yes: bool, **how: Any) -> int:
    """Pass the gate at which a rollout stands."""
    with asked.plane() as there:
        if full and not how["dry_run"]:
            confirming.service(Screen(asked), there, how["service"], doing="skip all remaining steps of", yes=yes)
        return _go_on(asked, there, PROMOTE, lambda: there.plane.promote(how["service"], full=full, reason=how["reason"]), how)


@click.command(cls=Verb, examples=('msxfctl abort risk --reason "errors in the branch"', "msxfctl abort risk --no-wait"))
@options.service
@options.reason
@options.dry_run
@options.wait(default=True)
@options.timeout
@click.pass_obj
def abort(asked: Asked, /, service: str, **how: Any) -> int:
    """Take a rollout back: the old release gets its capacity, then the traffic; the new one drains."""
    screen = Screen(asked)
    with asked.plane() as there:
        if how["dry_run"]:
            return ABORT.show(there, screen, service)
        begun = there.plane.abort(service, reason=how["reason"])
        if not how["wait"]:
            return ABORT.said(there, screen, service, begun)
        return finish(asked, there, Watch(view=begun, wanted=BACK), wait=True, timeout_s=how["timeout"])


def _go_on(asked: Asked, there: Reached, change: Change, verb: Callable[[], RolloutView], how: dict[str, Any]) -> int:
    """Do what makes a rollout go on, or say what it would do; wait for the end where that was asked for."""
    screen = Screen(asked)
    if how["dry_run"]:
        return change.show(there, screen, how["service"])
    begun = verb()
    if how["wait"]:
        return finish(asked, there, Watch(view=begun), wait=True, timeout_s=how["timeout"])
    return change.said(there, screen, how["service"], begun)


@click.command(
    cls=Verb,
    examples=('msxfctl scale risk 5 --reason "salary day"', "msxfctl scale risk 5 --wait --timeout 2m", "msxfctl scale risk --reset"),
    short_help="Set how many instances a service should have.",
)
@options.service
@click.argument("count", type=click.IntRange(0), required=False, default=None)
@click.option("--reset", is_flag=True, help="Give the number back to the catalog.")
@options.reason
@options.dry_run
@options.yes
@options.wait(default=False)
@options.timeout
@click.pass_obj
def scale(asked: Asked, /, service: str, count: int | None, reset: bool, **how: Any) -> int:
    """Set how many instances a service should have. The next tick applies it; a rollout that runs takes it over."""
    if (count is None) is not reset:
        raise BadInput("how many instances?", remedy=f"msxfctl scale {service} 3   or   msxfctl scale {service} --reset")
    from ctl.cli import scaling

    with asked.plane() as there:
        return scaling.run(asked, there, scaling.Target(service=service, count=count, reason=how["reason"]), how=how)
