"""A model that was trained on another population goes out, and its drift is found in the traffic: where the catalog allows it the release goes back by
itself without a failed request, and elsewhere somebody is told."""

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random, randrange

import numpy as np

from bench.load import Call, Load
from bench.machine import ROOT, Machine
from ctl.client import RemotePlane
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.keeping.log import Entry
from reference_apps.risk.measures.drift import frozen_numbers
from reference_apps.risk.monitoring import gathering
from reference_apps.risk.packages import reading, writing
from tests.apps.risk_desk import body, entries
from tests.e2e.gateways import until
from tests.e2e.plant import assert_none_failed, processes_of

ASKED = [body(Random(number), number).model_dump(mode="json", exclude_none=True) for number in range(1500)]
RATE = 600.0
DOMAINS = 'lending: {layer: middle, summary: "Loans."}\n'
TIMES = """\
local:
  summary: One machine, in a hurry.
  rollout: {min_ready_s: 0.1, healthy_deadline_s: 20, progress_deadline_s: 60, drain_s: 5, bake_s: 0.3, abort_scale_down_delay_s: 0.3}
"""
SERVICE = """\
name: {name}
domain: lending
summary: Decides.
owner: risk-decision
tier: 1
artifact:
  include: [ctl/__init__.py, ctl/kit, reference_apps/__init__.py, reference_apps/risk]
  command: [python, -m, reference_apps.risk]
health: {{interval_s: 0.2}}
rollout: {{strategy: rolling, surge: 1, unavailable: 0, on_drift: {on_drift}}}
config: {{monitor.every_s: "0.4", monitor.last: "3000"}}
"""


GOES_BACK, TELLS = "decides", "scores"


def trained_on(decided: list[Entry], moved: float) -> dict[str, bytes]:
    """Return the shipped package with the record of a training in which the scores lay so much higher than here."""
    scores = np.array([each.score for each in decided if each.score is not None]) + moved
    estimates = np.array([each.probability for each in decided if each.probability is not None])
    frozen = {"score": frozen_numbers(scores).record(), "probability": frozen_numbers(estimates).record(), "variables": {}}
    record = {"n": scores.size, "groups": [{"scene": "*", "segment": "*", "n": scores.size, "bad_rate": 0.02, **frozen}]}
    return {**reading.contents(reading.SHIPPED), gathering.REFERENCE: writing.encoded(record)}


def source(folder: Path, files: dict[str, bytes]) -> Path:
    """Return a project whose risk brings this package: a release carries its package."""
    apps = folder / "reference_apps"
    shutil.copytree(ROOT / "ctl" / "kit", folder / "ctl" / "kit")
    shutil.copytree(ROOT / "reference_apps" / "risk", apps / "risk", ignore=shutil.ignore_patterns("standard", "__pycache__"))
    for package in ("ctl", "reference_apps"):
        (folder / package / "__init__.py").touch()
    writing.keep(apps / "risk" / "standard", files)
    return folder


@contextmanager
def running(folder: Path) -> Iterator[RemotePlane]:
    """Give the plane of a home with two services that differ in nothing but what they do about a drift."""
    catalog, ports = folder / "catalog", 28100 + 100 * randrange(7)
    (catalog / "lending").mkdir(parents=True)
    (catalog / "domains.yaml").write_text(DOMAINS)
    (catalog / "environments.yaml").write_text(TIMES)
    for name, on_drift in ((GOES_BACK, "rollback"), (TELLS, "tell")):
        (catalog / "lending" / f"{name}.yaml").write_text(SERVICE.format(name=name, on_drift=on_drift))
    machine = Machine(folder / "home", environ={"MSXFCTL_CATALOG": str(catalog), "MSXFCTL_PORTS": f"{ports}-{ports + 99}", "PYTHONPATH": str(ROOT)})
    try:
        machine.up()
        yield RemotePlane(machine.home / "msxfctl.sock")
        machine.run("down", "--yes", timeout_s=60)
    finally:
        left = processes_of(machine.home)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left after down: {left}"


def release(plane: RemotePlane, version: str, source: Path) -> None:
    """Release a version of both services to its end."""
    for name in (GOES_BACK, TELLS):
        plane.build(name, version, source=str(source))
    started = [plane.deploy(name, version)["id"] for name in (GOES_BACK, TELLS)]
    until(f"{version} is live", lambda: all(not plane.rollout(one)["active"] for one in started), within_s=40.0)
    assert {plane.rollout(one)["phase"] for one in started} == {"certified"}


def package_of(plane: RemotePlane, name: str) -> str:
    with urllib.request.urlopen(f"{plane.status()['gateway']}/{name}/v1/package", timeout=5) as answer:
        return str(json.load(answer)["package"])


def test_a_drifted_model_goes_back_by_itself_where_it_may_and_is_told_where_not(tmp_path: Path) -> None:
    decided = entries(Decider(reading.read()), 1500)
    good, strange = (reading.parse(trained_on(decided, moved), "here") for moved in (0.0, 80.0))
    with running(tmp_path) as plane:
        release(plane, "1.0.0", source(tmp_path / "good", dict(good.files)))
        release(plane, "1.1.0", source(tmp_path / "strange", dict(strange.files)))
        assert {package_of(plane, name) for name in (GOES_BACK, TELLS)} == {strange.hash}
        load = Load(plane.status()["gateway"], asks, RATE).start()
        try:
            until(f"{GOES_BACK} is back", lambda: plane.service(GOES_BACK)["version"] == "1.0.0" and not plane.service(GOES_BACK)["current"], within_s=40.0)
            until("somebody is told", lambda: plane.status()["needs"])
            assert (package_of(plane, GOES_BACK), package_of(plane, TELLS)) == (good.hash, strange.hash)
        finally:
            tally = load.stop()
        assert_none_failed(tally)
        first, *earlier = plane.rollouts(service=GOES_BACK)
        assert (first["actor"], first["phase"], len(earlier)) == ("msxfctl", "certified", 2)
        assert "the champion's scorecard has drifted: PSI" in first["reason"]
        (need,) = plane.status()["needs"]
        assert (need["service"], need["state"], need["next"]) == (TELLS, "finding", f"msxfctl rollback {TELLS}")
        assert (plane.service(TELLS)["version"], len(plane.rollouts(service=TELLS))) == ("1.1.0", 2)
        for name in (GOES_BACK, TELLS):
            (raised,) = plane.journal(service=name, kind="finding.")
            assert (raised["kind"], raised["body"]["subject"], raised["body"]["n"] >= 1000) == ("finding.raised", "scorecard x * x *", True)


def asks(number: int) -> Call:
    return Call("POST", f"/{(GOES_BACK, TELLS)[number % 2]}/v1/decisions", {**ASKED[number // 2 % len(ASKED)], "application_id": f"x{number}"})
