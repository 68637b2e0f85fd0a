"""What the fraud bench stands on: ordinary events, instances as processes, a steady load over HTTP, and long logs laid down with their snapshots."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.load import Call, Load
from bench.machine import ROOT
from ctl.kit.database import Database
from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.shard import ALL, Shard
from reference_apps.fraud.features.spec import NOTHING
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import ENCODER, SCHEMA
from reference_apps.fraud.keeping.snapshots import Mark, Snapshots
from reference_apps.fraud.model import Event, Judgement, Verdict

BEGIN_MS = 1_750_000_000_000
MONTH_MS = 30 * 86_400_000
SNAPSHOT_EVENTS, UNSAVED = 250_000, 20_000
EVIDENCE: dict[str, Any] = {
    "limit_fen": 500_000,
    "name_match": 0.99,
    "face_score": 0.95,
    "liveness_score": 0.96,
    "geocode_precision_m": 40.0,
    "proxy": False,
    "dwell_ms": 30_000,
    "touch_entropy": 0.8,
    "new_device": False,
    "credential_changed_hours": 800.0,
    "agent_default_rate": 0.02,
    "monthly_income_fen": 800_000,
}
"""Enough that all eleven models score."""


def life(count: int, *, seed: int = 1, span_ms: int = 3 * 86_400_000, begin_ms: int = BEGIN_MS) -> Iterator[Event]:
    """Yield events of all kinds and keys: people come back a few times, one in twenty on another's device, one in twenty comes seconds late."""
    dice, people = random.Random(seed), max(10, count // 4)
    for number in range(count):
        who = dice.randrange(people)
        late = dice.randrange(5_000) if dice.random() < 0.05 else 0
        yield Event(
            id=f"{seed}-{number}",
            kind=("application", "login", "login", "payment")[number % 4],
            at_ms=begin_ms + number * span_ms // count - late,
            account=f"customer-{who}",
            device=f"device-{who if dice.random() < 0.95 else dice.randrange(people)}",
            phone=f"138{who:08}",
            network=f"10.{who % 250}.{who // 250 % 250}.0/24",
            address=f"street {who // 2}",
            merchant=f"shop-{dice.randrange(5_000)}",
            contacts=(f"contact-{who}",),
            amount_fen=dice.randrange(1_000, 400_000),
            **EVIDENCE,
        )


class Instance:
    """One instance of fraud as a process."""

    def __init__(self, folder: Path, number: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        environ = os.environ | {"MSXF_SERVICE": "fraud", "MSXF_INSTANCE": f"fraud-{number}", "MSXF_PORT": str(self.port), "MSXF_DATA_DIR": str(folder)}
        self._began = time.monotonic()
        with (folder / f"{number}.log").open("ab") as out:
            self._process = subprocess.Popen([sys.executable, "-m", "reference_apps.fraud"], env=environ, cwd=ROOT, stdout=out, stderr=out)

    def ready(self, within_s: float) -> float:
        """Wait until it takes traffic and return the seconds from its start. Raises TimeoutError."""
        while time.monotonic() - self._began < within_s and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as answer:
                    if answer.status == 200:
                        return time.monotonic() - self._began
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(0.02)
        raise TimeoutError(f"fraud is not ready after {within_s:g} s, exit status {self._process.poll()}")

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


def answer_times_ms(ports: list[int], rate: int, seconds: float, *, seed: int) -> list[float]:
    """Send checks at a steady rate and return how long each answer took from the moment it was due. Raises ConnectionError when one is no judgement."""
    calls = [Call("POST", "/v1/checks", _body(event)) for event in life(int(rate * seconds * 1.2), seed=seed)]
    load = Load([f"http://127.0.0.1:{port}" for port in ports], calls.__getitem__, rate).start()
    time.sleep(seconds)
    tally = load.stop()
    if tally.failures or set(tally.statuses) != {200}:
        raise ConnectionError(f"{tally.statuses} {tally.failures[:3]}")
    return [1000 * each for each in tally.latencies_s]


def _body(event: Event) -> bytes:
    told = {name: getattr(event, name) for name in ("kind", "account", "device", "phone", "address", "merchant", "contacts", "amount_fen", *EVIDENCE)}
    return json.dumps(told | {"event_id": event.id, "ip": event.network.replace(".0/24", ".7")}).encode()


def lay_down(folder: Path, count: int) -> None:
    """Write a log of `count` judged events over 30 days and its snapshots, as an instance would have in that time, the last one some time ago."""
    folder.mkdir(parents=True, exist_ok=True)
    database, snapshots = Database(folder / "events.db", SCHEMA), Snapshots(folder)
    shard = Shard(fetch=snapshots.fetch)
    judged = record.write(Judgement(Verdict.PASS, (20_000,) * 11, ()), "0" * 16, [NOTHING] * 7, Ties(), 0)
    begin_ms = int(time.time() * 1000) - MONTH_MS
    rows: list[tuple[int, str, str, bytes]] = []
    for position, event in enumerate(life(count, seed=9, span_ms=MONTH_MS, begin_ms=begin_ms), 1):
        rows.append((position, event.id, "fraud-1", ENCODER.encode(event)))
        shard.apply(position, event)
        if len(rows) == 20_000 or position == count:
            with database.write() as connection:
                connection.executemany("INSERT INTO log (position, event_id, taken_by, content) VALUES (?, ?, ?, ?)", rows)
                connection.executemany("INSERT INTO judged (position, content) VALUES (?, ?)", [(row[0], judged) for row in rows])
            rows = []
        if (position + UNSAVED) % SNAPSHOT_EVENTS == 0:
            _snapshot(shard, snapshots)
    database.close()
    snapshots.close()


def _snapshot(shard: Shard, snapshots: Snapshots) -> None:
    mark, links = Mark(shard.applied, shard.newest), shard.barrier()
    while shard.pack(10_000):
        pass
    snapshots.write(ALL, mark, sorted(shard.take_packed()), links)
