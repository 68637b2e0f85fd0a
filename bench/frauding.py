"""What the fraud bench stands on: ordinary events, instances as processes and a steady load over HTTP."""

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
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.load import Call, Load
from bench.machine import ROOT
from reference_apps.fraud.model import Event

BEGIN_MS = 1_750_000_000_000
KINDS = ("application", "login", "login", "payment")
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


class Life:
    """Events of all kinds and keys, rolled at once and made when asked for: people come back a few times, one in twenty on another's device, one in twenty
    comes seconds late. The same number gives the same event."""

    def __init__(self, count: int, *, seed: int = 1, span_ms: int = 3 * 86_400_000, begin_ms: int = BEGIN_MS) -> None:
        self.count, self._seed, self._span_ms, self._begin_ms = count, seed, span_ms, begin_ms
        self._who, self._late, self._device, self._merchant, self._amount = (array("i") for _ in range(5))
        dice, people = random.Random(seed), max(10, count // 4)
        for _ in range(count):
            who = dice.randrange(people)
            self._who.append(who)
            self._late.append(dice.randrange(5_000) if dice.random() < 0.05 else 0)
            self._device.append(who if dice.random() < 0.95 else dice.randrange(people))
            self._merchant.append(dice.randrange(5_000))
            self._amount.append(dice.randrange(1_000, 400_000))

    def __getitem__(self, number: int) -> Event:
        who = self._who[number]
        return Event(
            id=f"{self._seed}-{number}",
            kind=KINDS[number % len(KINDS)],
            at_ms=self._begin_ms + number * self._span_ms // self.count - self._late[number],
            account=f"customer-{who}",
            device=f"device-{self._device[number]}",
            phone=f"138{who:08}",
            network=f"10.{who % 250}.{who // 250 % 250}.0/24",
            address=f"street {who // 2}",
            merchant=f"shop-{self._merchant[number]}",
            contacts=(f"contact-{who}",),
            amount_fen=self._amount[number],
            **EVIDENCE,
        )

    def __iter__(self) -> Iterator[Event]:
        return map(self.__getitem__, range(self.count))


def life(count: int, *, seed: int = 1) -> Iterator[Event]:
    """Yield the events of three days."""
    return iter(Life(count, seed=seed))


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
        self._process.wait(180)


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
