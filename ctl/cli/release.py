"""msxfctl build, plan, deploy, rollback: getting a release out, and back."""

from typing import Any

import click

from ctl.cli import confirming, convoy, options, watching
from ctl.cli.asked import Asked
from ctl.cli.following import Follower, body, last_word
from ctl.cli.paint import wrap
from ctl.cli.reach import Reached
from ctl.cli.screens import plans
from ctl.cli.show import Screen
from ctl.cli.verb import Verb
from ctl.cli.watching import Watch
from ctl.errors import BadInput, NotFound
from ctl.model.view import RolloutView

BACK = frozenset({"rolled_back", "cancelled"})


@click.command(cls=Verb, examples=("msxfctl build risk --version 1.5.0", "msxfctl build risk --version 1.5.0 --source ../risk"))
@options.service
@options.version
@click.option("--source", type=click.Path(file_okay=False, exists=True), default=None, help="Folder to pack from (default: the project's root).")
@options.reason
@options.dry_run
@click.pass_obj
def build(asked: Asked, /, service: str, version: str, **how: Any) -> None:
    """Pack an immutable artifact of a service, named by its content."""
    screen = Screen(asked)
    with asked.plane() as there:
        if how["dry_run"]:
            return _would_build(there, screen, service, version)
        made = there.plane.build(service, version, source=how["source"] or "", reason=how["reason"])
    screen.answer("artifact/1", made, lambda look: plans.built(made, look))
    return None


def _would_build(there: Reached, screen: Screen, service: str, version: str) -> None:
    packs = there.plane.service(service)["spec"].get("artifact", {}).get("include", [])
    known = next((one["digest"] for one in there.plane.artifacts(service) if one["version"] == version), None)
    body = {"dry_run": True, "service": service, "version": version, "include": list(packs), "exists": known}
    said = f"{version} exists already ({known[:19]}…): the same content is nothing to do, other content is refused" if known else f"{version} is new"
    screen.answer("would-build/1", body, lambda _: [f"would build {service} {version} from {', '.join(packs) or 'nothing'}", f"  {said}"])


@click.command(cls=Verb, examples=("msxfctl plan risk --version 1.5.0", "msxfctl plan risk --version 1.5.0 --strategy canary"))
@options.service
@options.version
@options.strategy
@click.pass_obj
def plan(asked: Asked, service: str, version: str, strategy: str | None) -> None:
    """Everything a deploy would do, step by step, before anything moves; and a checksum to approve exactly that."""
    with asked.plane() as there:
        found = there.plane.plan(service, version, strategy=strategy or "")
    Screen(asked).answer("plan/1", found, lambda look: plans.whole(found, look))


@click.command(
    cls=Verb,
    examples=(
        'msxfctl deploy risk --version 1.5.0 --reason "new price table"',
        "msxfctl deploy risk --version 1.5.0 --approve 7c1f20de",
        "msxfctl deploy ledger risk approval --version 1.5.0 --parallel 2",
    ),
)
@options.services
@options.version
@options.strategy
@options.approve
@click.option("--parallel", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N", help="How many of several services at once.")
@options.reason
@options.dry_run
@options.yes
@options.wait(default=True)
@options.timeout
@click.pass_obj
def deploy(asked: Asked, /, services: tuple[str, ...], version: str, **how: Any) -> int:
    """Roll out a version that was built.

    Waits for the end and tells it by the exit status: 0 live, 1 taken back, 7 not over in time, 9 waiting for a person, 130 detached by ^C.
    Several services go in the order in which they depend on one another; one that goes wrong keeps those back that stand on it (exit status 6).
    """
    if len(set(services)) > 1 and how["approve"]:
        raise BadInput("--approve is for one plan, and so for one service", remedy="deploy them one by one, each with its own checksum")
    screen, wish = Screen(asked), convoy.Wish(version=version, strategy=how["strategy"] or "", reason=how["reason"])
    with asked.plane() as there:
        if how["dry_run"]:
            return _show_plans(there, screen, services, wish)
        for service in services:
            confirming.service(screen, there, service, doing=f"deploy {version} to", yes=how["yes"])
        if len(set(services)) > 1:
            return convoy.sail(asked, there, convoy.Convoy(services=tuple(dict.fromkeys(services)), wish=wish, **_limits(how)))
        screen.say(plans.summary(there.plane.plan(services[0], version, strategy=wish.strategy)))
        started = there.plane.deploy(services[0], version, reason=wish.reason, strategy=wish.strategy, approve=how["approve"])
        if not started["active"]:
            screen.say(f"{services[0]} {version} is live already; nothing was changed")
        return finish(asked, there, Watch(view=started), wait=how["wait"], timeout_s=how["timeout"])


def _limits(how: dict[str, Any]) -> dict[str, Any]:
    return {"parallel": how["parallel"], "wait": how["wait"], "timeout_s": how["timeout"]}


def _show_plans(there: Reached, screen: Screen, services: tuple[str, ...], wish: convoy.Wish) -> int:
    found = [there.plane.plan(service, wish.version, strategy=wish.strategy) for service in convoy.ordered(there.plane, services)]
    schema, facts = ("plan/1", {"dry_run": True, **found[0]}) if len(found) == 1 else ("plans/1", {"dry_run": True, "plans": found})
    screen.answer(schema, facts, lambda look: [*(line for one in found for line in plans.whole(one, look)), "nothing was changed"])
    return 0


@click.command(
    cls=Verb,
    examples=("msxfctl rollback risk", 'msxfctl rollback risk --to 1.4.2 --reason "wrong fees"'),
)
@options.service
@options.to_version
@options.reason
@options.dry_run
@options.yes
@options.wait(default=True)
@options.timeout
@click.pass_obj
def rollback(asked: Asked, /, service: str, to: str | None, **how: Any) -> int:
    """Take the rollout that runs back; without one, go back to the last release that was good."""
    screen = Screen(asked)
    with asked.plane() as there:
        if how["dry_run"]:
            return _would_roll_back(there, screen, service, to)
        confirming.service(screen, there, service, doing="roll back", yes=how["yes"])
        begun = there.plane.rollback(service, to=to or "", reason=how["reason"])
        wanted = BACK if begun["phase"] in {"aborting", *BACK} else frozenset({"certified"})
        return finish(asked, there, Watch(view=begun, wanted=wanted), wait=how["wait"], timeout_s=how["timeout"])


def _would_roll_back(there: Reached, screen: Screen, service: str, to: str | None) -> int:
    found = there.plane.service(service)
    if found["current"] and not to:
        goal = found["current"]["from_version"]
        said = f"would take {found['current']['id']} back: {goal or 'nothing'} gets all of the traffic again, {found['current']['to_version']} drains and goes"
    else:
        goal_view = _goal(there.plane.rollouts(service=service, limit=50), found["release"], service, to)
        goal = goal_view["to_version"]
        said = f"would roll {service} from {found['version']} back to {goal} (release {goal_view['to_release']})"
    body = {"dry_run": True, "service": service, "from_version": found["version"], "to_version": goal}
    screen.answer("would-rollback/1", body, lambda look: [*wrap(said, look.wide, "  "), "nothing was changed"])
    return 0


def _goal(history: list[RolloutView], current: str | None, service: str, to: str | None) -> RolloutView:
    """Return the rollout whose release a rollback would go to. Raises NotFound."""
    for one in history:
        if (to in (one["to_version"], one["to_release"])) if to else (one["phase"] == "certified" and one["to_release"] != current):
            return one
    raise NotFound(f"{service} has no release {to or 'to go back to'}", remedy=f"msxfctl history {service}")


def finish(asked: Asked, there: Reached, watch: Watch, *, wait: bool, timeout_s: float | None) -> int:
    """Wait for the rollout if that was asked for, say how it ended or stands, and return the exit status."""
    screen = Screen(asked)
    follower = Follower(asked, there, screen)
    if wait:
        try:
            if not follower.follow([watch], timeout_s=timeout_s):
                screen.say(f"not over after {timeout_s:g} s; {follower.onward(watch.view['service'])}")
        except KeyboardInterrupt:
            return follower.detach([watch])
    elif watch.view["active"] and there.here:
        screen.say(follower.onward(watch.view["service"]))
    watch.service = watch.service or there.plane.service(watch.view["service"])
    undo = [f"undo   {watch.view['undo']}"] if watch.view["active"] and not watch.is_over else []
    screen.answer("rollout/1", body(watch), lambda look: [*last_word(there, watch, look), *undo])
    return watching.EXIT[watch.result] if wait else 0
