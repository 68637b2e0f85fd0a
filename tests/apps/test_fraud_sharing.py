"""Several instances of fraud share the work: verdicts are those of one that does it all, and no answered event is lost when one dies."""

import json
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reference_apps.fraud.features.shard import ALL, SLOTS, Shard, merged
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.model import Event
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.sharing.members import Card, Members, Stage, owned
from tests.apps.conftest import Fleet
from tests.apps.fraud_work import shuffled_log

POLICY = policy.load()


def unsharded(folder: Path) -> dict[int, bytes]:
    """Judge a whole log in one go and return every judgement by position."""
    log = Log(folder, "replay")
    found = {each.position: each.record(POLICY) for each in replay(POLICY, [(row.position, row.item) for row in log.after(0, 10**6)])}
    log.close()
    return found


def written(folder: Path) -> dict[int, bytes]:
    log = Log(folder, "look")
    found = {position: judged for position, _, judged in log.page(0, 10**6) if judged is not None}
    log.close()
    return found


def test_slots_have_one_owner_each_and_move_only_to_who_comes() -> None:
    names = ["a", "b", "c"]
    shares = [owned(name, names) for name in names]
    assert shares[0] | shares[1] | shares[2] == ALL
    assert sum(share.bit_count() for share in shares) == SLOTS + 1
    assert min(share.bit_count() for share in shares) > 10
    assert owned("a", ["a", "b"]) & shares[0] == shares[0], "who stays loses nothing when another goes"


def test_shards_know_together_what_one_knows_alone() -> None:
    log, whole = shuffled_log(800, seed=3), Shard()
    shards = [Shard(owned(name, ["a", "b", "c"])) for name in "abc"]
    for position, event in enumerate(log, 1):
        assert merged(shard.apply(position, event) for shard in shards) == whole.apply(position, event)


def test_a_member_is_there_until_its_process_is_gone(tmp_path: Path) -> None:
    def card(name: str, edition: str = "1") -> Card:
        return Card(name=name, port=1, token="t", edition=edition)

    one, two, stranger = (Members(tmp_path, card(*given)) for given in (("one",), ("two",), ("stranger", "2")))
    for member in (one, two, stranger):
        member.join()
    two.become(Stage.SERVING)
    assert [(each.name, each.stage) for each in one.others()] == [("two", Stage.SERVING)], "who counts otherwise is no peer"
    two.part()
    assert one.others() == ()
    holder = f"""
import sys, time
from pathlib import Path
from reference_apps.fraud.serving.replay import replay
from reference_apps.fraud.sharing.members import Card, Members
Members(Path({str(tmp_path)!r}), Card(name="third", port=1, token="t", edition="1")).join()
print("joined", flush=True)
sys.stdin.read()
"""
    process = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "joined\n"
    assert [each.name for each in one.others()] == ["third"]
    process.kill()
    process.wait(10)
    assert one.others() == ()
    assert [path.name.split(".")[0] for path in tmp_path.iterdir() if path.name.startswith("third")] == [], "the card of the dead is thrown away"
    one.part()
    stranger.part()


def body_of(event: Event) -> dict[str, Any]:
    told = {"event_id": event.id, "kind": event.kind, "account": event.account, "contacts": event.contacts, "amount_fen": event.amount_fen}
    told |= {name: getattr(event, name) for name in ("device", "phone", "address", "merchant") if getattr(event, name)}
    return told | ({"ip": event.network.replace(".0/24", ".7")} if event.network else {})


class Traffic:
    """Sends events to any of the instances, again until they are answered, and remembers the answers and how long each took."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
        self.answers: dict[str, dict[str, Any]] = {}
        self.took_s: list[float] = []

    def send(self, number: int, event: Event) -> None:
        began, body = time.monotonic(), json.dumps(body_of(event)).encode()
        while True:
            port = self.ports[number % len(self.ports)]
            number += 1
            request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/checks", body, {"content-type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.answers[event.id] = json.loads(answer.read())
                break
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
            except OSError:
                pass
            assert time.monotonic() - began < 20, f"{event.id} is not answered"
            time.sleep(0.02)
        self.took_s.append(time.monotonic() - began)


@pytest.mark.timeout(90)
def test_a_killed_instance_loses_nothing_and_its_keys_are_taken_over(fleet: Fleet) -> None:
    """Three instances under load; one is killed, one is told to go, a fourth joins."""
    members = [fleet.begin("fraud", number) for number in (1, 2, 3)]
    fleet.ready(*members)
    log, dice = shuffled_log(1_200, seed=11, days=0.01), random.Random(5)
    traffic = Traffic([member.port for member in members])
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(traffic.send, dice.randrange(3), event) for event in log[:400]]
        for each in sent:
            each.result()
        quiet_s = max(traffic.took_s)
        sent = [pool.submit(traffic.send, dice.randrange(3), event) for event in log[400:800]]
        members[1].popen.send_signal(signal.SIGKILL)
        traffic.ports = [members[0].port, members[2].port]
        for each in sent:
            each.result()
        heir_s = max(traffic.took_s)
        fourth = fleet.begin("fraud", 4)
        sent = [pool.submit(traffic.send, dice.randrange(3), event) for event in log[800:]]
        fleet.ready(fourth)
        traffic.ports = [members[0].port, fourth.port]
        members[2].popen.send_signal(signal.SIGTERM)
        for each in sent:
            each.result()
    assert members[2].popen.wait(20) == 0
    del fleet.processes[members[2].name]
    assert heir_s < 3 + quiet_s, "its keys were taken over"
    assert traffic.answers.keys() == {event.id for event in log}
    assert fourth.popen.poll() is None
    replayed = unsharded(fleet.home / "fraud")
    assert len(replayed) == len(log)
    positions = {answer["position"]: answer for answer in traffic.answers.values()}
    assert positions.keys() == replayed.keys()
    for position, content in replayed.items():
        expected = record.read(content)
        assert positions[position]["verdict"] == ("pass", "step-up", "review", "block")[expected.verdict]
        assert [*positions[position]["probabilities"].values()] == [each and each / 1e6 for each in expected.probabilities], position
    deadline = time.monotonic() + 5
    while (kept := written(fleet.home / "fraud")) != replayed and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kept == replayed, "every judgement is kept, byte for byte that of an unsharded replay"
