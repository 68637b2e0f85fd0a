"""The parts of the local runtime that need no instance: answers and what they mean, back-off, /proc, locks, logs, ports, records."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.backends.runtimes import backoff, findings
from ctl.backends.runtimes.local import burial, endings, files, locks, logfiles, portrange, processes, readiness, roster, site, starting, wire
from ctl.backends.runtimes.local.portrange import PortRange
from ctl.backends.runtimes.local.probe import Probe
from ctl.backends.runtimes.local.readiness import Heard, Standing
from ctl.backends.runtimes.local.site import Pace, Site
from ctl.backends.runtimes.local.slots import Cohort, GroupRecord, Slot, SlotRecord
from ctl.errors import BackendError, BadInput
from ctl.model import codec
from ctl.model.finding import Asks, Finding
from ctl.model.fleet import InstancePhase
from ctl.model.service import Health
from tests.contract.stages import release

QUICK = settings(deadline=None, max_examples=60)
PACE = Pace()
NOW = datetime(2030, 1, 1, tzinfo=UTC)
STARTING, READY, UNREADY, STANDBY = InstancePhase.STARTING, InstancePhase.READY, InstancePhase.UNREADY, InstancePhase.STANDBY
YES, FAILS = Heard(status=200), Heard(status=500)
NOTHING, HANGS = Heard(status=None, alive=False), Heard(status=None, alive=True)
ANSWERS = {
    "yes": YES,
    "fails": FAILS,
    "nothing": NOTHING,
    "hangs": HANGS,
    "starting": Heard(status=503, state="starting", reason="loads"),
    "standby": Heard(status=503, state="standby"),
    "unready": Heard(status=503, state="unready", reason="no database"),
}


def told(*names: str) -> Standing:
    standing = Standing()
    for name in names:
        standing = readiness.after(standing, ANSWERS[name], PACE)
    return standing


@pytest.mark.parametrize(
    "names, phase",
    [
        (["nothing"], STARTING),
        (["starting"], STARTING),
        (["fails"] * 9, STARTING),
        (["yes"], READY),
        (["nothing"] * 50 + ["yes"], READY),
        (["standby"], STANDBY),
        (["standby", "yes"], READY),
        (["yes", "standby"], STANDBY),
        (["yes", "unready"], UNREADY),
        (["standby", "unready"], UNREADY),
        (["yes", "fails", "fails"], READY),
        (["yes", "fails", "nothing", "hangs"], UNREADY),
        (["yes", "fails", "fails", "yes", "fails", "fails"], READY),
        (["yes", "starting"], UNREADY),
        (["yes", "nothing", "nothing", "nothing", "yes"], READY),
        (["standby", "nothing", "nothing"], STANDBY),
    ],
)
def test_answers_make_a_phase(names: list[str], phase: InstancePhase) -> None:
    assert told(*names).phase is phase


@pytest.mark.parametrize(
    "names, reason",
    [
        (["starting"], "loads"),
        (["standby"], "waits for the writer lock"),
        (["yes"], ""),
        (["yes", "fails", "fails", "fails"], "answers 500"),
        (["yes", "nothing", "nothing", "nothing"], "does not answer"),
    ],
)
def test_a_standing_says_why(names: list[str], reason: str) -> None:
    assert told(*names).reason == reason


@given(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=40))
@QUICK
def test_a_phase_follows_from_the_last_answers(names: list[str]) -> None:
    standing = told(*names)
    if names and names[-1] == "yes":
        assert standing == Standing(phase=READY, has_answered=True, has_been_up=True)
    if standing.phase is UNREADY:
        assert {"yes", "standby"} & set(names), "unready is what was up before"
    if readiness.is_dead(standing, 0.0, PACE):
        assert names[-10:] == ["nothing"] * 10
        assert set(names) != {"nothing"}


def test_silence_is_death_only_for_those_that_have_spoken() -> None:
    assert not readiness.is_dead(told("yes", *["nothing"] * 9), 1e6, PACE)
    assert readiness.is_dead(told("yes", *["nothing"] * 10), 0, PACE)
    assert not readiness.is_dead(told("yes", *["hangs"] * 50), 0, PACE), "the liveness path answers"
    assert not readiness.is_dead(told(*["nothing"] * 900), PACE.start_allowance_s - 1, PACE)
    assert readiness.is_dead(told(*["nothing"] * 900), PACE.start_allowance_s, PACE)


@pytest.mark.parametrize(
    "names, age_s, in_phase_s, starting, wait_s",
    [
        ([], 0.0, 0.0, 1, 0.1),
        ([], 4.9, 4.9, 300, 0.6),
        ([], 5.1, 5.1, 300, 2.0),
        (["yes"], 9.0, 8.0, 0, 2.0),
        (["yes"], 99.0, 31.0, 0, 10.0),
        (["yes", "fails"], 99.0, 31.0, 0, 2.0),
        (["standby"], 99.0, 31.0, 0, 2.0),
        (["yes", "unready"], 99.0, 31.0, 0, 2.0),
    ],
)
def test_the_next_probe_is_as_soon_as_it_has_to_be(names: list[str], age_s: float, in_phase_s: float, starting: int, wait_s: float) -> None:
    health = Health(interval_s=2.0)
    assert readiness.wait_s(told(*names), health, PACE, age_s=age_s, in_phase_s=in_phase_s, starting=starting) == wait_s


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"state": null}', b'{"reason": {}}'])
def test_a_503_with_any_body_is_a_no(body: bytes) -> None:
    assert readiness.after(Standing(), readiness.heard(503, body), PACE).phase is STARTING


def test_the_back_off_doubles_to_half_a_minute_and_is_forgiven_after_a_minute() -> None:
    streak, delays = 0, []
    for _ in range(10):
        streak = backoff.streak_after(streak, 5.0)
        delays.append(backoff.delay_s(streak))
    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert backoff.delay_s(backoff.streak_after(streak, 60.0)) == 0.0
    assert backoff.delay_s(10**9) == 30.0


@pytest.mark.parametrize(
    "status, lasted_s, words, said",
    [
        (1, 0.42, "no table", "exit status 1 after 0.4 s: no table"),
        (0, 12.0, "", "exit status 0 after 12.0 s"),
        (-9, 3.0, "ignored", "killed by SIGKILL after 3.0 s"),
        (-99, None, "", "killed by signal 99"),
        (None, None, "", "its process is gone; how it ended is not known, its launcher was gone too"),
    ],
)
def test_an_ending_is_a_sentence(status: int | None, lasted_s: float | None, words: str, said: str) -> None:
    assert endings.describe(status, lasted_s, words) == said


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), st.integers(1, 2**22), st.integers(0, 2**40))
@QUICK
def test_a_line_of_proc_is_read_whatever_the_command_is_called(comm: str, pid: int, started: int) -> None:
    rest = " ".join(str(number) for number in range(23, 53))
    line = f"{pid} ({comm}) S 1 {pid} {pid + 1} 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 {started} {rest}"
    assert processes.parse_stat(line) == processes.Stat(state="S", group=pid, session=pid + 1, started=started)


def test_a_process_is_known_by_its_start_time_too() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    process = processes.identify(child.pid)
    assert process is not None
    assert processes.is_alive(process)
    impostor = replace(process, started=process.started + 1)
    assert not processes.is_alive(impostor)
    assert processes.watch(impostor) is None
    processes.kill_group(impostor)
    processes.kill_session(impostor)
    processes.tell(impostor, signal.SIGKILL)
    assert processes.is_alive(process), "another process with the same number is not hit"
    processes.kill_group(process)
    child.wait()
    assert not processes.is_alive(process)
    assert not processes.runs(process)
    assert processes.identify(child.pid) is None


def test_a_lock_is_held_by_one_and_given_back_by_death(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert not locks.is_held(path)
    holds = f"from pathlib import Path; from ctl.backends.runtimes.local import locks; locks.hold_signed(Path({str(path)!r})); print(1, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert other.stdout is not None
    assert other.stdout.readline() == b"1\n"
    assert locks.hold(path) is None
    assert locks.holder(path) == other.pid
    assert not locks.discard(path)
    other.kill()
    other.communicate()
    mine = locks.hold(path)
    assert mine is not None
    assert locks.is_held(path)
    os.close(mine)
    assert locks.discard(path)
    assert not path.exists()
    assert locks.discard(path)


@given(lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=99), max_size=30), last=st.integers(0, 40), ended=st.booleans())
@QUICK
def test_a_tail_is_the_last_lines(tmp_path_factory: pytest.TempPathFactory, lines: list[str], last: int, ended: bool) -> None:
    path = tmp_path_factory.mktemp("tail") / "x.log"
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    path.write_bytes(text.encode())
    whole = text.removesuffix("\n").split("\n") if text else []
    assert list(logfiles.tail(path, last)) == (whole[-last:] if last else [])


def test_a_tail_reads_only_as_far_back_as_it_must(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"line {number}\n" for number in range(300_000)))
    assert logfiles.tail(path, 3) == ("line 299997", "line 299998", "line 299999")
    assert len(logfiles.tail(path, 20_000)) == 20_000


def test_a_rotated_log_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert logfiles.rotate(path, 10) == 0
    path.write_text("a\nb\n")
    assert logfiles.rotate(path, 10) == 4
    path.write_text("a\nb\nc\nd\ne\nf\n")
    assert logfiles.rotate(path, 10) == 0
    assert logfiles.tail(path, 2) == ("e", "f")
    path.write_text("g\n")
    assert logfiles.tail(path, 3) == ("e", "f", "g")
    logfiles.discard(path)
    with pytest.raises(FileNotFoundError):
        logfiles.tail(path, 3)


@pytest.mark.parametrize(
    "text, since, words",
    [
        ("old\n", 4, ""),
        ("old\nTraceback\nKeyError: 'rate'\n\n", 4, "KeyError: 'rate'"),
        ('old\n{"level": "error", "message": "no table"}\n', 4, "no table"),
        ("{broken\n", 0, "{broken"),
        ("x" * 999, 0, "x" * 200),
    ],
)
def test_last_words_are_of_the_last_process(tmp_path: Path, text: str, since: int, words: str) -> None:
    path = tmp_path / "x.log"
    path.write_text(text)
    assert logfiles.last_words(path, since) == words
    assert logfiles.last_words(tmp_path / "none.log", 0) == ""


def test_logs_of_the_gone_are_kept_for_twenty_instances_of_a_service(tmp_path: Path) -> None:
    here = Site(home=tmp_path / "home")
    here.prepare()
    names = [f"shop-1-0badcafe-{number}" for number in range(1, 24)]
    for name in [*names, "shop-front-1-0badcafe-1"]:
        here.log(name).write_text("was here\n")
    for name in names[:21]:
        burial.bury(here, "shop", name)
    burial.revive(here, "shop", [names[1]])
    for name in names[21:]:
        burial.bury(here, "shop", name)
    left = {path.stem for path in (here.home / "logs").iterdir()}
    assert left == {"shop-front-1-0badcafe-1", names[1], *names[3:]}, "the oldest two are gone; one that lives again is not"


def test_ports_are_free_and_each_is_given_once() -> None:
    some = PortRange(28900, 28920)
    with socket.create_server(("127.0.0.1", 28905)):
        assert not portrange.is_free(28905)
        given_out: set[int] = set()
        for _ in range(20):
            given_out.add(some.take(given_out))
        assert given_out == set(range(28900, 28921)) - {28905}
        with pytest.raises(BackendError, match="no port from 28900 to 28920"):
            some.take(given_out)


def test_who_met_a_stranger_goes_on_elsewhere() -> None:
    some = PortRange(20000, 27999)
    first = some.take(set())
    followers = []
    for _ in range(8):
        some.move()
        followers.append(some.take(set()))
    assert all(20000 <= port <= 27999 for port in followers)
    assert sum(abs(port - first) > 50 for port in followers) >= 5, "a neighbour that takes ports in turn is left behind"


@pytest.mark.parametrize("says, status", [("", 200), ("x-msxf-instance: shop-1-1\r\n", 200), ("X-Msxf-Instance: shop-1-2\r\n", None)])
def test_only_an_answer_in_its_own_name_counts(says: str, status: int | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{says}content-length: 2\r\n\r\n{{}}".encode())
        await writer.drain()

    async def asked() -> readiness.Heard:
        loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            one = Probe(loop, "shop-1-1", server.sockets[0].getsockname()[1], Health())
            one.ask(answer.set_result)
            heard: readiness.Heard = await asyncio.wait_for(answer, 5)
            one.close()
            return heard

    heard = asyncio.run(asked())
    assert heard.status == status
    assert (heard.reason == "") is (status == 200)


def test_a_group_is_the_same_after_a_stay_on_disk(tmp_path: Path) -> None:
    here = Site(home=tmp_path / "home")
    here.prepare()
    slot = SlotRecord(number=3, port=20001, generation=2, streak=1, phase=InstancePhase.DRAINING, since=NOW, created_at=NOW, reason="why", drain_by=NOW)
    group = GroupRecord(release=release("shop"), next_number=4, slots=(slot,))
    path = roster.path(here, Cohort(group.release))
    files.write(path, codec.to_json(group))
    (here.groups / "damaged@1.json").write_text('{"release": ')
    (here.groups / "other@1.json").write_text('{"what": 1}')
    assert list(roster.read(here)) == [group]
    assert list(roster.read(Site(home=tmp_path / "nowhere"))) == []


def test_a_process_of_another_boot_does_not_run(tmp_path: Path) -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    facts = {"id": "x", "generation": 1, "pid": me.pid, "started": me.started, "launcher_pid": 1, "launcher_started": 0, "port": 1, "began_at": 0.0}
    record = wire.Record(**facts, boot=processes.boot())
    assert record.is_running
    assert not replace(record, boot="another").is_running
    assert not replace(record, ended_at=1.0).is_running
    wire.write_record(tmp_path / "x.json", record)
    assert wire.read_record(tmp_path / "x.json") == record
    (tmp_path / "x.json").write_text('{"id": "x", "unknown": 1}')
    assert wire.read_record(tmp_path / "x.json") is None


def test_who_an_instance_is_cannot_be_changed_by_its_release(tmp_path: Path) -> None:
    here = Site(home=tmp_path, environment="staging", zone="z1")
    stubborn = replace(release("shop"), environment={"MSXF_PORT": "1", "MSXF_DEPENDS_ON": "ledger", "LANG": "xx"})
    made = starting.environment(here, Slot(Cohort(stubborn), 1, 20001), "http://gateway", tmp_path)
    assert (made["MSXF_PORT"], made["MSXF_DEPENDS_ON"], made["LANG"]) == ("20001", "ledger", "xx")
    assert (made["MSXF_ENV"], made["MSXF_ZONE"], made["MSXF_GATEWAY"]) == ("staging", "z1", "http://gateway")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", "a\n", "a b", "a" * 201])
def test_a_name_that_cannot_be_a_file_is_refused(name: str) -> None:
    assert not site.is_plain(name)
    with pytest.raises(BadInput):
        site.require_plain(name)


# --- what a ready answer says was found ---

FOUND = {"kind": "drift", "subject": "scorecard x thin x cash", "asks": "act", "n": 1204, "said": "it has drifted"}


@pytest.mark.parametrize("body", [b"", b"ready", b'{"state": "ready"}', b'{"findings": null}', b'{"findings": {}}', b'["findings"]', b'"findings" {'])
def test_an_answer_without_a_list_of_findings_says_nothing_about_them(body: bytes) -> None:
    assert findings.read(body) is None
    assert readiness.heard(200, body).findings is None


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "Drift"}, {"kind": 7}, {"subject": None}, {"asks": "now"}, {"n": -1}, {"n": True}, {"n": "many"}, {"said": []}],
)
def test_a_malformed_finding_is_left_out_and_the_others_stay(wrong: dict[str, object]) -> None:
    body = json.dumps({"state": "ready", "findings": [FOUND | wrong, FOUND, "what", None]}).encode()
    assert findings.read(body) == (Finding(kind="drift", subject="scorecard x thin x cash", asks=Asks.ACT, n=1204, said="it has drifted"),)


ANY = st.fixed_dictionaries({"subject": st.text(max_size=400), "said": st.text(max_size=900), "asks": st.sampled_from(["act", "watch"])})


@QUICK
@given(st.lists(ANY, max_size=60))
def test_however_much_is_said_little_is_kept_and_the_gravest_first(said: list[dict[str, str]]) -> None:
    found = findings.read(json.dumps({"findings": [FOUND | each for each in said]}).encode())
    assert found is not None
    assert len(found) <= findings.MOST
    assert all(len(each.subject) <= findings.MOST_SUBJECT and len(each.said) <= findings.MOST_SAID for each in found)
    assert all(text == "" or text.isprintable() for each in found for text in (each.subject, each.said))
    assert [each.asks for each in found] == sorted(each.asks for each in found)
    assert len({each.key for each in found}) == len(found)


def test_what_was_found_is_known_while_it_is_ready_and_unknown_after() -> None:
    ready = readiness.after(Standing(), readiness.heard(200, json.dumps({"findings": [FOUND]}).encode()), PACE)
    assert ready.findings is not None
    assert readiness.after(ready, NOTHING, PACE).findings == ready.findings
    assert readiness.after(ready, ANSWERS["unready"], PACE).findings is None
    assert readiness.after(ready, YES, PACE).findings is None
