"""Waiting for rollouts: a block that repaints itself on a terminal, a line a change in a pipe, and the last word about each."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ctl.cli import watching
from ctl.cli.asked import Asked
from ctl.cli.look import Look
from ctl.cli.reach import Reached
from ctl.cli.screens import rollouts
from ctl.cli.show import Screen
from ctl.cli.watching import Watch

DETACHED = 130
MOST_AT_ONCE = 4
MOST_LINES = 15


class Follower:
    """Shows progress while it waits. `step` is called before each look, and may add to what is watched."""

    def __init__(self, asked: Asked, there: Reached, screen: Screen) -> None:
        self._asked = asked
        self._there = there
        self._screen = screen
        self._block = screen.block()

    def follow(self, watches: list[Watch], *, timeout_s: float | None = None, step: Callable[[], bool] | None = None) -> bool:
        """Wait until every watch is over and `step` has nothing more to begin; return False when the time was over first."""
        began = passed = time.monotonic()
        while True:
            more = step() if step else False
            now = time.monotonic()
            for watch in watches:
                if not watch.is_over or watch.service is None:
                    watch.look(self._there.plane, now - passed)
            passed = now
            self._show(watches)
            if not more and all(watch.is_over for watch in watches):
                return self._done(True)
            if timeout_s is not None and now - began >= timeout_s:
                return self._done(False)
            time.sleep(self._asked.poll_s * max(1.0, len(watches) / MOST_AT_ONCE))

    def detach(self, watches: Iterable[Watch]) -> int:
        """Say that what was begun goes on without us, or why it does not."""
        if self._block:
            self._block.settle()
        running = [watch.view for watch in watches if not watch.is_over]
        for view in running:
            self._screen.say(f"detached from {view['id']}: {self.onward(view['service'])}")
        return DETACHED

    def onward(self, service: str) -> str:
        """Say what happens to a rollout once this command has ended."""
        if self._there.here:
            return "no daemon runs, so it rests until msxfctl up, or until the next command that waits"
        return f"the rollout goes on.   msxfctl status {service} --watch   msxfctl abort {service}"

    def _show(self, watches: Sequence[Watch]) -> None:
        look = self._screen.beside()
        if self._block is None:
            self._screen.say(*(watch.trouble or rollouts.change(watch.view, watch.service) for watch in watches if watch.has_changed()))
        elif len(watches) == 1:
            self._block.repaint(rollouts.live(watches[0].view, watches[0].service, look, watches[0].trouble))
        else:
            self._block.repaint(_several([watch for watch in watches if not watch.is_over]))

    def _done(self, ended: bool) -> bool:
        if self._block:
            self._block.clear()
        return ended


def _several(watches: Sequence[Watch]) -> list[str]:
    """Return a line a rollout that runs, and how many there are beside those that find room."""
    lines = [rollouts.change(watch.view, watch.service) for watch in watches[:MOST_LINES]]
    return [*lines, f"… and {len(watches) - MOST_LINES} more"] if len(watches) > MOST_LINES else lines


def last_word(there: Reached, watch: Watch, look: Look) -> list[str]:
    """Return the screen of how a watched rollout ended, or stands."""
    view = watch.view
    match view["phase"]:
        case "certified":
            return rollouts.certified(view, watch.service, look)
        case "rolled_back":
            return rollouts.taken_back(view, watch.service, watching.cost(there.plane, watch), look)
        case "paused":
            return rollouts.paused(view, look)
        case _ if view["active"]:
            return [*rollouts.standing(view, watch.service, look), f"next   msxfctl status {view['service']} --watch"]
        case _:
            return rollouts.over(view, look)


def body(watch: Watch) -> dict[str, Any]:
    """Return a watched rollout for programs: how it went in one word, its view, and the command that takes it back."""
    return {"result": watch.result, "rollout": watch.view, "undo": watch.view["undo"]}
