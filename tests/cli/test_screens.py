"""The screens people see, word for word: each is a file in tests/cli/screens. REWRITE_SCREENS=1 writes them anew, to be read before they are committed."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ctl.cli.paint import WIDEST, width
from ctl.errors import Refused
from ctl.model.view import FindingView, LogLine, TokenView
from tests.cli import stories
from tests.cli.console import Console, Ran
from tests.cli.memory_plane import ago, event, instance, rollout, service

SCREENS = Path(__file__).parent / "screens"
FAILED = {"level": "error", "logger": "risk", "message": "ZeroDivisionError in price.py:41", "trace": "4bf92f35", "route": "/decide"}
LINES = [
    LogLine(instance="risk-1.5.0-51ab77c0-1", line=json.dumps({"at": "2017-09-30T10:03:11.120+00:00", **FAILED})),
    LogLine(instance="risk-1.5.0-51ab77c0-2", line='{"at":"2017-09-30T10:03:10.004+00:00","level":"info","message":"ready"}'),
    LogLine(instance="risk-1.5.0-51ab77c0-2", line="Killed"),
]


def nothing(console: Console) -> None:
    """Leave the plane as it begins."""


def troubled(console: Console) -> None:
    known = console.plane.known
    known["fraud"] = service("fraud", state="paused", note='paused at 25 % by li.wei for "check velocity counts"', tier=0)
    known["ledger"] = service("ledger", state="down", ready=0, note="ledger-1.4.2-9b1c3fa2-1: exit status 1, writer.lock is held", tier=0)
    known["sms"] = service("sms", state="absent", version=None, release=None, ready=0, total=0, desired=2, domain="base", note="nothing has been released")
    console.plane.story("risk", stories.halfway())
    crash = "ledger-1.4.2-9b1c3fa2-1: exit status 1, writer.lock is held"
    console.plane.needs = [
        {"service": "fraud", "state": "paused", "why": "check velocity counts", "next": "msxfctl resume fraud   or   msxfctl abort fraud"},
        {"service": "ledger", "state": "down", "why": crash, "next": "msxfctl logs ledger --level error"},
    ]


def good(console: Console) -> None:
    console.plane.story("risk", *stories.play(*stories.GOOD))


def bad(console: Console) -> None:
    console.plane.lines = LINES[:1] * 197
    console.plane.written = [event(1, body={"to": "preparing"}, at=ago(31)), event(2, body={"to": "aborting"}, at=ago(0.4))]
    console.plane.story("risk", *stories.play(*stories.BAD))


def waiting(console: Console) -> None:
    console.plane.story("risk", *stories.play(stories.begun, stories.paused))


def held(console: Console) -> None:
    console.plane.story("risk", stories.paused())


def running(console: Console) -> None:
    console.plane.story("risk", stories.halfway())


def past(console: Console) -> None:
    console.plane.past = [
        rollout(phase="certified", revision=7),
        rollout(phase="rolled_back", revision=6, abort_why="risk-1.5.0-51ab77c0-1 crashed 3 times", took_s=12.3, started_at=ago(7300)),
        rollout(phase="certified", revision=1, from_version=None, from_release=None, to_version="1.4.2", reason="", started_at=ago(86400 * 12)),
    ]


def written(console: Console) -> None:
    moment = "2017-09-30T10:03:{:02d}+00:00"
    console.plane.written = [
        event(41, at=moment.format(1), why="li.wei deploys 1.5.0-51ab77c0: new price table"),
        event(42, at=moment.format(2), kind="action.intent", actor="demo:1", why="the new group needs one more", body={"action": "EnsureGroup"}),
        event(43, at=moment.format(3), kind="action.outcome", actor="demo:1", why="no port is free", body={"result": "failed"}),
        event(44, at=moment.format(4), kind="target.set", rollout="", why="risk should have 5 instances: salary day"),
    ]
    console.plane.lines = LINES


def unwell(console: Console) -> None:
    members = [
        instance("risk-1.4.2-9b1c3fa2-1"),
        instance("risk-1.4.2-9b1c3fa2-2", "unready", restarts=4, reason="readyz: 503 no connection to feature-store", since=ago(12)),
        instance("risk-1.4.2-9b1c3fa2-3", "starting", pid=None, since=ago(2)),
    ]
    groups = [{**service("risk")["groups"][0], "instances": members, "ready": 1}]
    note = "risk-1.4.2-9b1c3fa2-2: readyz: 503 no connection to feature-store"
    console.plane.known["risk"] = service("risk", groups=groups, state="degraded", ready=1, note=note)
    console.plane.past = [rollout(phase="certified", revision=7)]


def drifted(console: Console) -> None:
    said = "the champion's scorecard has drifted: PSI 0.41 over 1,204 decisions"
    tells = "msxfctl does not go back by itself (rollout.on_drift: tell)"
    found = FindingView(
        release="1.4.2-9b1c3fa2", version="1.4.2", kind="drift", subject="scorecard x * x *", asks="act", n=1204, said=said, since=ago(900), follows=tells
    )
    seen: FindingView = {**found, "asks": "watch", "said": "the challenger's gbdt has drifted: PSI 0.29 over 1,204 decisions", "follows": "nothing follows"}
    console.plane.known["risk"] = service("risk", findings=[found, seen])
    console.plane.past = [rollout(phase="certified", revision=7)]
    console.plane.needs = [{"service": "risk", "state": "finding", "why": f"1.4.2: {said}; {tells}", "next": "msxfctl rollback risk"}]


def guarded(console: Console) -> None:
    console.plane.access = [
        TokenView(name="ci-main", role="releaser", created_at=ago(86400 * 3), expires_at=ago(-86400 * 27), secret=None),
        TokenView(name="wall", role="viewer", created_at=ago(60), expires_at=None, secret=None),
    ]


def frozen(console: Console) -> None:
    console.plane.failing["deploy"] = Refused(
        "risk 1.5.0 is not deployed to prod",
        found='freeze "month end" until 2017-09-30 24:00 CST (owner settlement, reason: closing), for tier 0',
        remedy='msxfctl deploy risk --version 1.5.0 --at "2017-10-01 00:30"',
    )


TOLD: dict[str, tuple[str, Callable[[Console], None], bool]] = {
    "overview": ("", nothing, True),
    "services": ("services", troubled, True),
    "services_pipe": ("services", troubled, False),
    "status": ("status", troubled, True),
    "status_quiet": ("status", nothing, True),
    "status_rolling": ("status risk", running, True),
    "status_degraded": ("status risk", unwell, True),
    "status_finding": ("status", drifted, True),
    "status_service_finding": ("status risk", drifted, True),
    "show_finding": ("show risk", drifted, True),
    "show": ("show risk", unwell, True),
    "plan": ("plan risk --version 1.5.0", nothing, True),
    "deploy_good": ("deploy risk --version 1.5.0", good, False),
    "deploy_taken_back": ("deploy risk --version 1.5.0", bad, False),
    "deploy_waits": ("deploy risk --version 1.5.0", waiting, False),
    "deploy_refused": ("deploy risk --version 1.5.0", frozen, False),
    "deploy_no_wait": ("deploy risk --version 1.5.0 --no-wait", running, True),
    "deploy_several": ("deploy approval risk fraud --version 1.5.0 --dry-run", nothing, True),
    "pause": ("pause risk", held, True),
    "pause_dry_run": ("pause risk --dry-run", running, True),
    "rollback_dry_run": ("rollback risk --to 1.5.0 --dry-run", past, True),
    "scale": ("scale risk 5", nothing, True),
    "scale_dry_run": ("scale risk 5 --dry-run", nothing, True),
    "build": ("build risk --version 1.5.0", nothing, True),
    "history": ("history risk", past, True),
    "logs": ("logs risk", written, True),
    "events": ("events", written, True),
    "journal": ("journal list", written, True),
    "journal_verify": ("journal verify", nothing, True),
    "tokens": ("token list", guarded, True),
    "token_create": ("token create ci-main --role releaser --ttl 30d", nothing, True),
    "not_found": ("show risky", nothing, True),
}


@pytest.mark.parametrize("name", TOLD)
def test_screen(name: str, console: Console) -> None:
    command, arrange, terminal = TOLD[name]
    arrange(console)
    ran = console.run("--color", "never", *command.split(), terminal=terminal)
    told = f"$ msxfctl {command}\n{ran.out}" + (f"--- standard error\n{ran.err}" if ran.err else "") + f"--- exit status {ran.status}\n"
    told = re.sub(r"(?m)^(.*\S)? +$", r"\1", told)
    file = SCREENS / f"{name}.txt"
    if os.environ.get("REWRITE_SCREENS"):
        file.write_text(told)
    assert told == file.read_text()
    assert all(width(line) <= WIDEST for line in ran.out.splitlines()) or name == "logs", "what a service wrote is never shortened"


def test_every_file_is_a_screen() -> None:
    assert {file.stem for file in SCREENS.iterdir()} == set(TOLD)


@pytest.mark.parametrize("name", [name for name, (_, _, terminal) in TOLD.items() if terminal and not name.startswith("overview")])
def test_colours_only_repeat(name: str) -> None:
    command, arrange, _ = TOLD[name]
    painted, plain = (_run(command, arrange, colour) for colour in ("always", "never"))
    assert _unpainted(painted.out) == plain.out
    assert _unpainted(painted.err) == plain.err


def _run(command: str, arrange: Callable[[Console], None], colour: str) -> Ran:
    console = Console()
    arrange(console)
    return console.run("--color", colour, *command.split(), terminal=True)


def _unpainted(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
