"""Every command: what it asks of the plane, and the document it gives to a program."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctl.errors import BackendError, Refused
from tests.cli import stories
from tests.cli.console import Console
from tests.cli.memory_plane import LogLine, TokenView, ago, event, rollout, service

READS: dict[str, tuple[str, set[str]]] = {
    "services": ("services", {"services"}),
    "services ris --domain middle --state ok": ("services", {"services"}),
    "show risk": ("service", {"name", "state", "groups", "spec", "depends_on"}),
    "status": ("status", {"environment", "services", "needs", "rolling", "gateway"}),
    "status risk": ("service-status", {"name", "groups", "newest"}),
    "plan risk --version 1.5.0": ("plan", {"steps", "checksum", "config_changes", "checks"}),
    "history risk": ("history", {"service", "rollouts"}),
    "logs risk": ("logs", {"service", "lines"}),
    "events": ("events", {"events"}),
    "journal list --after 1 --limit 2": ("journal", {"events"}),
    "journal verify": ("journal-verify", {"events", "intact"}),
    "artifact list risk": ("artifacts", {"service", "artifacts"}),
    "token list": ("tokens", {"tokens"}),
    "doctor": ("doctor", {"checks"}),
    "version": ("version", {"msxfctl", "python", "home"}),
}


@pytest.mark.parametrize("command", READS)
def test_a_read_gives_one_document_and_changes_nothing(command: str, console: Console) -> None:
    schema, keys = READS[command]
    console.plane.written = [event(number) for number in range(1, 6)]
    ran = console.run(*command.split(), "-o", "json")
    assert (ran.status, ran.err) == (0, "")
    assert ran.document["schema"] == f"msxfctl/{schema}/1"
    assert keys <= set(ran.document)
    assert console.plane.changes == []


@pytest.mark.parametrize("command", READS)
def test_yaml_says_the_same_as_json(command: str, console: Console) -> None:
    as_json, as_yaml = (console.run(*command.split(), "-o", shape) for shape in ("json", "yaml"))
    assert _timeless(yaml.safe_load(as_yaml.out)) == _timeless(as_json.document)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if not key.endswith(("at", "since", "now"))}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", READS)
def test_a_pipe_gets_no_colour_and_a_program_no_hint(command: str, console: Console) -> None:
    ran = console.run(*command.split())
    assert ran.status == 0
    assert "\x1b" not in ran.out + ran.err


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "build risk --version 1.5.0 --reason why": ("build", {"service": "risk", "version": "1.5.0", "source": "", "reason": "why"}),
    "deploy risk --version 1.5.0 --strategy canary --approve 7c1f20de --reason why": (
        "deploy",
        {"service": "risk", "version": "1.5.0", "reason": "why", "strategy": "canary", "approve": "7c1f20de"},
    ),
    "rollback risk --to 1.4.1 --reason why --no-wait": ("rollback", {"service": "risk", "to": "1.4.1", "reason": "why"}),
    "pause risk --reason why": ("pause", {"service": "risk", "reason": "why"}),
    "resume risk --reason why": ("resume", {"service": "risk", "reason": "why"}),
    "promote risk --reason why": ("promote", {"service": "risk", "full": False, "reason": "why"}),
    "promote risk --full": ("promote", {"service": "risk", "full": True, "reason": ""}),
    "abort risk --reason why --no-wait": ("abort", {"service": "risk", "reason": "why"}),
    "scale risk 5 --reason why": ("scale", {"service": "risk", "count": 5, "reason": "why"}),
    "scale risk 0": ("scale", {"service": "risk", "count": 0, "reason": ""}),
    "scale risk --reset": ("scale", {"service": "risk", "count": None, "reason": ""}),
    "token create ci --role releaser --ttl 2h": ("create_token", {"name": "ci", "role": "releaser", "ttl_s": 7200.0}),
    "token remove wall": ("remove_token", {"name": "wall"}),
}


def arranged(console: Console) -> Console:
    console.plane.story("risk", *stories.play(*stories.GOOD))
    console.plane.access = [TokenView(name="wall", role="viewer", created_at=ago(60), expires_at=None, secret=None)]
    return console


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_is_asked_for_once_with_all_it_was_told(command: str, console: Console) -> None:
    ran = arranged(console).run(*command.split(), "-o", "json")
    assert ran.status == 0
    assert [call for call in console.plane.calls if call[0] in console.plane.changes] == [CHANGES[command]]
    assert ran.document["schema"].startswith("msxfctl/")


@pytest.mark.parametrize("command", [command for command in CHANGES if not command.startswith("build")])
def test_a_change_names_its_undo(command: str, console: Console) -> None:
    assert arranged(console).run(*command.split(), "-o", "json").document["undo"].startswith("msxfctl ")
    assert "undo   msxfctl" in (said := arranged(Console()).run(*command.split()).out) or "Undo: msxfctl" in said


@pytest.mark.parametrize("command", CHANGES)
def test_a_dry_run_changes_nothing_and_says_so(command: str, console: Console) -> None:
    console.plane.past = [rollout(phase="certified", to_version="1.4.1", to_release="1.4.1-00aa11bb")]
    ran = arranged(console).run(*command.split(), "--dry-run", "-o", "json")
    assert ran.status == 0, ran.err
    assert ran.document["dry_run"] is True
    assert console.plane.changes == []
    text = arranged(Console()).run(*command.replace("--to 1.4.1", "").split(), "--dry-run").out
    assert "would" in text or "nothing was changed" in text


def test_a_dry_run_without_a_rollout_is_refused_as_the_change_would_be(console: Console) -> None:
    ran = console.run("pause", "risk", "--dry-run")
    assert ran.status == 3
    assert "risk has no rollout to pause" in ran.err


def test_services_are_filtered_and_sorted(console: Console) -> None:
    console.plane.known["sms"] = service("sms", domain="base", state="down")
    assert [row["name"] for row in console.run("services", "-o", "json").document["services"]] == sorted(console.plane.known)
    assert [row["name"] for row in console.run("services", "--state", "down", "-o", "json").document["services"]] == ["sms"]
    assert console.plane.calls[-1] == ("services", {"domain": "", "match": ""})
    assert [row["name"] for row in console.run("services", "l", "--domain", "middle", "-o", "json").document["services"]] == ["approval", "ledger"]


def test_nothing_found_is_no_error(console: Console) -> None:
    assert console.run("services", "--domain", "nowhere").out == ""
    assert console.run("services", "--domain", "nowhere", terminal=True).out.startswith("no service is like that")
    assert console.run("services", "--domain", "nowhere", "-o", "json").document["services"] == []


def test_options_may_stand_before_or_behind_the_command(console: Console) -> None:
    assert console.run("-o", "json", "services").out == console.run("services", "-o", "json").out
    assert console.run("-o", "yaml", "services", "-o", "json").document["schema"] == "msxfctl/services/1"


def test_utc_gives_exact_times(console: Console) -> None:
    console.plane.past = [rollout(phase="certified", started_at="2017-09-30T10:03:01.5+08:00")]
    assert "2017-09-30 02:03:01 UTC" in console.run("history", "risk", "--utc").out


def test_the_environment_names_a_server(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSXFCTL_SERVER", "http://127.0.0.1:7070")
    console.run("services")
    console.run("services", "--server", "http://127.0.0.1:9")
    assert console.asked_of == ["http://127.0.0.1:7070", "http://127.0.0.1:9"]


def test_a_token_goes_into_a_file_of_ours_and_not_onto_the_screen(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "ci.token"
    ran = console.run("token", "create", "ci", "--role", "viewer", "--file", str(file))
    assert file.read_text() == "msxf_s3cret\n"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert "msxf_s3cret" not in ran.out + ran.err
    assert str(file) in ran.out
    again = console.run("token", "create", "ci2", "--role", "viewer", "--file", str(file), "-o", "json")
    assert again.status == 2
    assert [name for name in console.plane.changes if name == "create_token"] == ["create_token"]


def test_a_token_that_was_not_made_leaves_no_file(console: Console, tmp_path: Path) -> None:
    console.plane.failing["create_token"] = Refused("a token named ci exists")
    assert console.run("token", "create", "ci", "--role", "viewer", "--file", str(tmp_path / "ci.token")).status == 3
    assert list(tmp_path.iterdir()) == []


def test_scale_waits_until_all_are_ready(console: Console) -> None:
    ran = console.run("scale", "risk", "5", "--wait", "-o", "json")
    assert (ran.status, ran.document["ready"]) == (0, 5)
    assert "risk: 3 of 5 ready, 3 there" in ran.err


def test_doctor_fails_where_a_check_fails(console: Console) -> None:
    console.plane.failing["doctor"] = BackendError("no daemon answers at /x", remedy="msxfctl up")
    ran = console.run("doctor", "-o", "json")
    assert ran.status == 1
    assert ran.document["checks"][-1] == {"check": "plane", "state": "fail", "found": "no daemon answers at /x", "remedy": "msxfctl up"}


def test_logs_are_in_the_order_of_time_and_cut_at_the_end(console: Console) -> None:
    console.plane.lines = [
        LogLine(instance=one, line=json.dumps({"at": f"2017-09-30T10:00:0{second}+00:00", "message": f"m{second}"}))
        for one, seconds in (("a", (1, 4)), ("b", (2, 3)))
        for second in seconds
    ]
    said = console.run("logs", "risk", "-o", "json", "--last", "3", "--level", "ERROR").document["lines"]
    assert [json.loads(one["line"])["message"] for one in said] == ["m2", "m3", "m4"]
    assert console.plane.calls[-1][1]["level"] == "error"


def test_what_a_service_wrote_cannot_move_the_cursor(console: Console) -> None:
    console.plane.lines = [LogLine(instance="a", line="\x1b[2Jhello\x07")]
    assert "\x1b" not in console.run("logs", "risk", terminal=True).out
    console.plane.known["risk"] = service("risk", state="down", note="\x1b[31mred\x1b[0m")
    assert "\x1b" not in console.run("show", "risk", "--color", "never", terminal=True).out
