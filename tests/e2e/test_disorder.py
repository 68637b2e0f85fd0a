"""A time of disorder: instances, the gateway and the daemon are killed at random under load while releases go out; the end is right all the same."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest

from bench.load import Load, Tally
from tests.e2e.gateways import raw, until
from tests.e2e.homes import is_running
from tests.e2e.plant import WANTED, Plant, running_plant, under_load

GATEWAY_BACK_S = 2.0  # under one second on a machine with time; this one may have other work
IN_FLIGHT_S = 0.2  # a request that the dying gateway had is lost at once; the load may notice a little later
SPELLS = (pytest.param(20, 1, id="20s"), pytest.param(60, 2, id="60s", marks=[pytest.mark.nightly, pytest.mark.timeout(300)]))


class Disorder:
    """Kills with a seeded hand. Two rules keep its promise provable: never the last instance that takes a service's traffic, and never the
    gateway while there is no daemon to bring it back."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self.plant = plant
        self.dice = Random(seed)
        self.gateway = plant.plane.status()["gateway"]
        self.downs: list[tuple[float, float]] = []
        self.killed: Counter[str] = Counter()
        self.rollouts: dict[str, list[str]] = {service: [] for service in WANTED}

    def rage(self, for_s: float) -> None:
        ends = monotonic() + for_s
        while monotonic() < ends:
            self.release_what_rests()
            self.dice.choices((self.kill_instance, self.kill_gateway, self.kill_daemon), weights=(6, 2, 3))[0]()
            sleep(self.dice.uniform(0.1, 0.9))

    def release_what_rests(self) -> None:
        """Deploy the next version of every service that has no rollout; one that waits for a person, for want of requests to judge by, goes on."""
        for service, mine in self.rollouts.items():
            last = self.plant.plane.rollout(mine[-1]) if mine else None
            if last and last["phase"] == "paused":
                self.plant.plane.resume(service)
            elif not last or not last["active"]:
                mine.append(self.plant.release(service))

    def kill_instance(self) -> None:
        victims = [pid for service in WANTED for pid in self._expendable(service)]
        if victims:
            os.kill(self.dice.choice(victims), signal.SIGKILL)
            self.killed["instance"] += 1

    def kill_gateway(self) -> None:
        pid, began = self.plant.machine.gateway_pid(), monotonic()
        os.kill(pid, signal.SIGKILL)
        until("the gateway is gone", lambda: not is_running(pid))
        until("the gateway serves again", lambda: all(serves(self.gateway, service) for service in WANTED))
        self.downs.append((began, monotonic()))
        self.killed["gateway"] += 1

    def kill_daemon(self) -> None:
        """Half of the time an instance dies too while nobody is there to mind it."""
        self.plant.kill_daemon()
        if self.dice.random() < 0.5:
            self.kill_instance()
        self.plant.machine.up()
        self.killed["daemon"] += 1

    def calm(self) -> None:
        """Wait until every rollout has ended; a paused one is sent on."""
        for service, mine in self.rollouts.items():
            self._ended(service, mine[-1])

    def _ended(self, service: str, rollout: str) -> None:
        def has_ended() -> bool:
            view = self.plant.plane.rollout(rollout)
            if view["phase"] == "paused":
                self.plant.plane.resume(service)
            return not view["active"]

        until(f"{rollout} has ended", has_ended, within_s=40)

    def _expendable(self, service: str) -> list[int]:
        """Return the processes that take the service's traffic and are ready, unless it is only one."""
        routed = {slot: address for slot, address in routed_to(self.plant.home, service) if serves(f"http://{address}", "readyz", path="")}
        pids = sorted(pid for slot, pids in self.plant.slots(service).items() if slot in routed for pid in pids)
        return pids if len(routed) > 1 else []


def routed_to(home: Path, service: str) -> Iterator[tuple[str, str]]:
    for routes in json.loads((home / "gateway" / "routes.json").read_text())["routes"]:
        if routes["service"] == service:
            for entry in routes["entries"]:
                if entry["weight_pct"]:
                    yield from zip(entry["instances"], entry["addresses"], strict=True)


def serves(base: str, service: str, *, path: str = "/work") -> bool:
    try:
        return raw(base, f"/{service}{path}")[0] == 200
    except (OSError, HTTPException):
        return False


def unexplained(tally: Tally, downs: list[tuple[float, float]]) -> list[tuple[float, str]]:
    """Return the failures of times in which the gateway was up."""
    return [(at, why) for at, why in tally.failures if not any(began <= at <= back + IN_FLIGHT_S for began, back in downs)]


def report(disorder: Disorder, load: Load) -> str:
    ends = Counter(disorder.plant.plane.rollout(one)["phase"] for mine in disorder.rollouts.values() for one in mine)
    downs = ", ".join(f"{back - began:.2f}" for began, back in disorder.downs)
    tally = load.tally
    return f"killed {dict(disorder.killed)}; rollouts {dict(ends)}; the gateway was down {downs} s; {len(tally.failures)} of {tally.sent} failed, all then"


@pytest.mark.parametrize("for_s, seed", SPELLS)
def test_a_time_of_disorder(tmp_path: Path, for_s: float, seed: int) -> None:
    with running_plant(tmp_path) as plant, under_load(plant) as load:
        disorder = Disorder(plant, seed)
        disorder.rage(for_s)
        disorder.calm()
        for service, mine in disorder.rollouts.items():
            plant.certified(mine[-1])
            plant.settled(service)
        plant.no_open_intents()
        plant.intact()
        tally = load.stop()
        print(report(disorder, load))
        assert unexplained(tally, disorder.downs) == []
        assert all(back - began < GATEWAY_BACK_S for began, back in disorder.downs), disorder.downs
        assert set(disorder.killed) == {"instance", "gateway", "daemon"}, "a seed that does not kill one of each proves little"
