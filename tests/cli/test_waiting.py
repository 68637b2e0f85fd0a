"""Waiting for a rollout: how it ended is the exit status, whatever happens on the way."""

from collections.abc import Callable
from typing import Any

import pytest

from ctl.cli import watching
from ctl.errors import BackendError, NotFound
from ctl.model.view import RolloutView
from tests.cli import stories
from tests.cli.console import Console
from tests.cli.memory_plane import Frame, MemoryPlane, rollout, service

DEPLOY = ("deploy", "risk", "--version", "1.5.0")


def ended(phase: str, **changes: Any) -> Callable[[], Frame]:
    return lambda: (rollout(phase=phase, **changes), service("risk"))


ENDS: dict[str, tuple[Callable[[], Frame], int, str, str]] = {
    "certified": (stories.live, 0, "good", "risk 1.5.0 is live: 3 of 3 ready"),
    "taken back": (stories.taken_back, 1, "bad", "risk 1.5.0 was taken back: 1.4.2 is live again"),
    "superseded": (ended("superseded", outcome="superseded by 1.5.1-00"), 1, "bad", "superseded by 1.5.1-00"),
    "cancelled": (ended("cancelled", outcome="cancelled before it began"), 1, "bad", "is cancelled"),
    "paused": (stories.paused, 9, "waits", "waits for you"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("terminal", [False, True])
def test_the_end_is_the_exit_status(end: str, terminal: bool, console: Console) -> None:
    last, status, result, said = ENDS[end]
    console.plane.story("risk", *stories.play(stories.begun, stories.halfway, last))
    ran = console.run(*DEPLOY, "--color", "never", terminal=terminal)
    assert (ran.status, said in ran.out) == (status, True)
    console.plane.story("risk", *stories.play(stories.begun, last))
    document = console.run(*DEPLOY, "-o", "json").document
    assert (document["result"], document["rollout"]["id"], document["schema"]) == (result, "risk-r7", "msxfctl/rollout/1")


def test_a_first_release_that_is_taken_back_leaves_nothing_live(console: Console) -> None:
    console.plane.story("risk", ended("rolled_back", from_version=None, from_release=None, abort_why="it never became ready")())
    assert "was taken back: nothing is live" in console.run(*DEPLOY).out


def test_a_terminal_sees_one_block_painted_over(console: Console) -> None:
    console.plane.story("risk", *stories.play(*stories.GOOD))
    ran = console.run(*DEPLOY, "--color", "never", terminal=True)
    assert "●●◐  2 ready, 1 draining  traffic 50 %" in ran.err
    assert "^C detaches; the rollout goes on." in ran.err
    assert "\x1b[6A" in ran.err, "it goes up by the height of the block before"
    assert ran.err.endswith("\x1b[0J"), "the block is gone at the end"
    assert "\x1b" not in ran.out


def test_a_pipe_gets_a_line_a_change(console: Console) -> None:
    halfway = stories.halfway()
    console.plane.story("risk", stories.begun(), halfway, halfway, halfway, stories.live())
    lines = console.run(*DEPLOY).err.splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == ["00", "00"]
    assert lines[1] == "00:09 risk stepping: 1.4.2 2 ready, 1 draining 50 %; 1.5.0 2 ready 50 %; judged ok, errors 0.00 % | 0.00 %"
    assert "risk certified" in lines[2]


def test_a_dumb_terminal_is_a_pipe(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console.plane.story("risk", *stories.play(*stories.GOOD))
    assert "\x1b" not in (ran := console.run(*DEPLOY, terminal=True)).err + ran.out


def test_no_color_keeps_the_block_and_drops_the_colours(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console.plane.story("risk", *stories.play(*stories.GOOD))
    ran = console.run(*DEPLOY, terminal=True)
    assert "\x1b[2K" in ran.err
    assert "\x1b[1m" not in ran.err + ran.out


def test_a_timeout_says_that_it_goes_on(console: Console) -> None:
    console.plane.story("risk", stories.halfway())
    ran = console.run(*DEPLOY, "--timeout", "10ms", "-o", "json")
    assert (ran.status, ran.document["result"], ran.document["undo"]) == (7, "under way", "msxfctl abort risk")
    assert "not over after 0.01 s; the rollout goes on" in ran.err


def test_no_wait_returns_at_once(console: Console) -> None:
    console.plane.story("risk", *stories.play(*stories.GOOD))
    ran = console.run(*DEPLOY, "--no-wait", "-o", "json")
    assert (ran.status, ran.document["rollout"]["phase"]) == (0, "preparing")
    assert "rollout" not in [name for name, _ in console.plane.calls]


def test_what_is_live_already_is_no_change(console: Console) -> None:
    console.plane.story("risk", stories.live())
    ran = console.run(*DEPLOY)
    assert (ran.status, "risk 1.5.0 is live already; nothing was changed" in ran.err) == (0, True)


class Interrupting(MemoryPlane):
    """Somebody presses ^C while the rollout is looked at for the third time."""

    def rollout(self, rollout: str) -> RolloutView:
        if [name for name, _ in self.calls].count("rollout") == 2:
            raise KeyboardInterrupt
        return super().rollout(rollout)


@pytest.mark.parametrize(
    ("here", "said"),
    [(False, "the rollout goes on.   msxfctl status risk --watch"), (True, "no daemon runs, so it rests until msxfctl up")],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_an_interrupt_detaches(here: bool, said: str, terminal: bool) -> None:
    console = Console(plane=Interrupting(), here=here)
    console.plane.story("risk", stories.halfway())
    ran = console.run(*DEPLOY, terminal=terminal)
    assert (ran.status, ran.out) == (130, "")
    assert f"detached from risk-r7: {said}" in ran.err
    assert console.plane.changes == ["deploy"], "nothing is aborted"


def test_without_a_daemon_no_wait_says_that_nothing_goes_on(console: Console) -> None:
    console.here = True
    console.plane.story("risk", stories.halfway())
    assert "it rests until msxfctl up" in console.run(*DEPLOY, "--no-wait").err


class Silent(MemoryPlane):
    """A daemon that dies in the middle, and is back after `times` looks."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def rollout(self, rollout: str) -> RolloutView:
        seen = super().rollout(rollout)
        if seen["phase"] == "stepping" and self.times > 0:
            self.times -= 1
            self.stories["risk"].insert(0, stories.begun())
            raise BackendError("no daemon answers at /x/msxfctl.sock")
        return seen


@pytest.mark.parametrize("terminal", [False, True])
def test_a_daemon_that_comes_back_is_waited_for(terminal: bool) -> None:
    console = Console(plane=Silent(times=5))
    console.plane.story("risk", *stories.play(*stories.GOOD))
    ran = console.run(*DEPLOY, terminal=terminal)
    assert ran.status == 0
    assert "no daemon answers at /x/msxfctl.sock; looking again" in ran.err


def test_a_daemon_that_stays_away_is_out_of_reach() -> None:
    plane = MemoryPlane()
    watch = watching.Watch(view=rollout())
    plane.failing["rollout"] = BackendError("no daemon answers")
    watch.look(plane, watching.SILENT_FOR_S)
    with pytest.raises(BackendError):
        watch.look(plane, 0.1)


@pytest.mark.parametrize(
    ("command", "acts", "status"),
    [
        ("abort risk", (stories.aborting, stories.taken_back), 0),
        ("abort risk", (ended("cancelled", outcome="cancelled before it began"),), 0),
        ("rollback risk", (stories.aborting, stories.taken_back), 0),
        ("rollback risk", (stories.begun, stories.live), 0),
        ("rollback risk", (stories.begun, stories.taken_back), 1),
        ("resume risk --wait", (stories.halfway, stories.live), 0),
        ("promote risk --wait", (stories.halfway, stories.taken_back), 1),
        ("status risk --watch", (stories.halfway, stories.live), 0),
        ("status risk --watch", (stories.halfway, stories.taken_back), 1),
    ],
)
def test_every_wait_ends_by_what_was_wished(command: str, acts: tuple[Callable[[], Frame], ...], status: int, console: Console) -> None:
    console.plane.story("risk", *stories.play(*acts))
    assert console.run(*command.split()).status == status


def test_logs_that_are_gone_do_not_spoil_the_last_word(console: Console) -> None:
    console.plane.failing["logs"] = NotFound("risk has no instance of 1.5.0")
    console.plane.failing["journal"] = BackendError("the journal cannot be read")
    console.plane.story("risk", *stories.play(*stories.BAD))
    ran = console.run(*DEPLOY)
    assert ran.status == 1
    assert "touched 214 of 9,340 judged requests (2.3 %) failed; back after 34 s" in ran.out


class Watched(MemoryPlane):
    """Somebody presses ^C after the status was seen four times; it changes once."""

    def status(self) -> Any:
        seen = [name for name, _ in self.calls].count("status")
        if seen == 4:
            raise KeyboardInterrupt
        self.needs = [{"service": "risk", "state": "down", "why": "crashed", "next": "msxfctl logs risk"}] if seen >= 2 else []
        return super().status()


def test_watching_the_status_in_a_pipe_gives_what_changed() -> None:
    ran = Console(plane=Watched()).run("status", "--watch")
    assert (ran.status, ran.out.count("312 services"), ran.out.count("1 needs you")) == (130, 2, 1)


def test_watching_the_status_on_a_terminal_paints_over() -> None:
    ran = Console(plane=Watched()).run("status", "--watch", terminal=True)
    assert (ran.status, ran.out, ran.err.count("\x1b[2A")) == (130, "", 2)
