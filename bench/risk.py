"""Risk: decisions a second in batch, the latency of a single one over HTTP at 1,000 a second, and a package swapped under that load."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from bench.daemon import cpu_s
from bench.load import Call, Load, Tally
from bench.machine import ROOT, Failed, wait_until
from bench.report import Report, percentile
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.deciding.many import Setting, decide_all
from reference_apps.risk.model import Fact, Question
from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package
from reference_apps.risk.packages.shelf import Shelf

ROWS, ONE_BY_ONE, TREES, LEAVES = 20_000, 1_000, 100, 16
BATCH, P99_MS, RATE = 50_000, 10.0, 1_000.0
WARM_S, HELD_S, SWAP_S, AFTER_SWAP_S = 2.0, 10.0, 20.0, 4.0
THRESHOLDS = {0: (450.0, 549.5, 599.5, 649.5, 699.5, 780.0), 2: (0.5, 49_999.5, 5e5, 2e6), 3: (22.5, 30.5, 40.5, 49.5), 4: (1e6, 5e6, 1.2e7)}
Documents = dict[str, Any]


def run(report: Report) -> None:
    """Measure; everything lies in a folder of its own."""
    _batch(report)
    home = Path(tempfile.mkdtemp(prefix="risk-", dir=os.environ.get("BENCH_DIR")))
    try:
        _http(report, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _batch(report: Report) -> None:
    """Full decisions: rules, scorecard, trees with contributions, combination, price, reasons. By the processor's clock, on one thread."""
    for name, package in (("shipped package", reading.read()), (f"{TREES} trees of {LEAVES} leaves", forest())):
        decider, dice = Decider(package), Random(1)
        known, setting = [facts(dice) for _ in range(ROWS)], Setting("cash", "standard")
        decide_all(decider, known[:1000], setting)
        began = time.process_time()
        made = decide_all(decider, known, setting)
        reasons = made.reasons()
        columns_s = time.process_time() - began
        began = time.process_time()
        values = list(made)
        values_s = time.process_time() - began
        report.at_least(f"risk: decisions a second and core, {name}", len(reasons) / columns_s, BATCH, "decisions/s")
        report.note(f"risk: the same, each put together as a value, {name}", len(values) / (columns_s + values_s), "decisions/s")
        questions = [Question(facts=decider.complete(each), scene="cash", table="standard") for each in known[:ONE_BY_ONE]]
        began = time.process_time()
        one_by_one = [decider.decide(each) for each in questions]
        report.note(f"risk: one by one, {name}", (time.process_time() - began) / ONE_BY_ONE * 1e6, "us/decision")
        if one_by_one != values[:ONE_BY_ONE]:
            raise Failed("many decisions at once are not those of one by one")


def _http(report: Report, home: Path) -> None:
    port = 20_000 + os.getpid() % 10_000
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MSXF_")},
        "PYTHONPATH": str(ROOT), "MSXF_SERVICE": "risk", "MSXF_PORT": str(port), "MSXF_DATA_DIR": str(home / "data"), "MSXF_CONFIG_PACKAGE_FOLLOW": "true",
    }  # fmt: skip
    with (home / "log").open("ab") as log:
        risk = subprocess.Popen([sys.executable, "-m", "reference_apps.risk"], env=environ, stdout=log, stderr=log, cwd=home)
    try:
        base = f"http://127.0.0.1:{port}"
        wait_until("risk is ready", lambda: _answers(f"{base}/readyz"), within_s=30)
        report.note("risk: one commit of the decision log's disk, p50", _commit_ms(home), "ms")
        _steady(report, base, risk.pid)
        _swap(report, base, home)
    finally:
        risk.terminate()
        risk.wait(30)


def _steady(report: Report, base: str, pid: int) -> None:
    load = Load(base, _calls("steady", RATE * (WARM_S + HELD_S)), RATE).start()
    time.sleep(WARM_S)
    warm, busy_s = len(load.tally.latencies_s), cpu_s(pid)
    time.sleep(HELD_S)
    busy_s = cpu_s(pid) - busy_s
    report.note("risk: processor time a decision over HTTP", busy_s / max(1, len(load.tally.latencies_s) - warm) * 1000, "ms")
    tally = load.stop()
    latencies = tally.latencies_s[warm:]
    report.at_most("risk: one decision over HTTP at 1,000 a second, logged durably, p99", percentile(latencies, 0.99) * 1000, P99_MS, "ms")
    report.note("risk: the same, p50", percentile(latencies, 0.5) * 1000, "ms")
    report.at_least("risk: answered a second", len(latencies) / HELD_S, 0.95 * RATE, "decisions/s")
    report.at_most("risk: failed", _failed(tally), 0, "requests")


def _swap(report: Report, base: str, home: Path) -> None:
    """Publish another package while decisions are asked for."""
    other = forest()
    shelf = Shelf(home / "data")
    load = Load(base, _calls("swap", RATE / 2 * (WARM_S / 2 + SWAP_S + AFTER_SWAP_S)), RATE / 2).start()
    time.sleep(WARM_S / 2)
    shelf.keep(other)
    shelf.point_at(other.hash)
    took = wait_until("the published package is in force", lambda: _package(base) == other.hash, within_s=SWAP_S)
    time.sleep(AFTER_SWAP_S)
    tally = load.stop()
    report.note("risk: a published package is in force after", took, "s")
    report.at_most("risk: failed while a package was swapped", _failed(tally), 0, "requests")


def _failed(tally: Tally) -> int:
    return len(tally.failures) + sum(count for status, count in tally.statuses.items() if status != 200)


def _calls(name: str, count: float) -> Callable[[int], Call]:
    """Return as many calls, written beforehand: the load shares two cores with what it measures."""
    made = [Call("POST", "/v1/decisions", json.dumps(_asked(f"bench-{name}-{number}", Random(number))).encode()) for number in range(int(count * 1.2))]
    return made.__getitem__


def _asked(application: str, dice: Random) -> dict[str, Any]:
    known: dict[str, Any] = {name: value for name, value in facts(dice).items() if value is not None}
    shops: dict[str, Any] = {shop: {"orders_12m": 3, "spend_12m_fen": known.pop(shop)} for shop in ("taobao", "jd") if shop in known}
    return {"application_id": application, **known, **shops}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _package(base: str) -> str:
    with urllib.request.urlopen(f"{base}/v1/package", timeout=30) as answer:
        return str(json.load(answer)["package"])


def _commit_ms(home: Path) -> float:
    """Return what it takes to write and synchronise a page: below that, no durable answer can be."""
    took = []
    with (home / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return percentile(took, 0.5)


def facts(dice: Random) -> dict[str, Fact]:
    """Return what may be known of somebody."""
    return {
        "customer_id": f"c{dice.randrange(100_000)}",
        "age": dice.randint(17, 62),
        "zhima_score": dice.randint(400, 900) if dice.random() < 0.95 else None,
        "pboc_record": dice.choice((None, "none", "ordinary", "good", "good")),
        "taobao": dice.choice((None, dice.randint(0, 3_000_000))),
        "jd": dice.choice((None, dice.randint(0, 3_000_000))),
        "other_debt_fen": dice.choice((0, 0, dice.randint(0, 21_000_000))),
        "amount_fen": 500_000,
        "periods": dice.choice((6, 12, 24)),
    }


def forest(trees: int = TREES, leaves: int = LEAVES, seed: int = 1) -> Package:
    """Return the shipped package with a model of a usual size, and with nothing said about which way evidence is better."""
    dice = Random(seed)
    made: Documents = {name: json.loads(content) for name, content in reading.contents(reading.SHIPPED).items() if name.endswith(".json")}
    for each in made["variables.json"]["variables"]:
        each.pop("better", None)
    features = [feature | {"monotone": "no"} for feature in made["models/main.json"]["features"]]
    made["models/main.json"] = {"kind": "gbdt", "base": -1.5, "features": features, "trees": [tree(dice, leaves) for _ in range(trees)]}
    return reading.parse({name: writing.encoded(each) for name, each in made.items()}, "bench")


def tree(dice: Random, leaves: int) -> Documents:
    """Grow a tree by splitting random leaves; its values are doubles with all their digits."""
    arrays: Documents = {name: [] for name in ("feature", "threshold", "codes", "missing_left", "left", "right", "value")}

    def node() -> int:
        for name, empty in (("feature", -1), ("threshold", 0.0), ("codes", None), ("missing_left", dice.random() < 0.5), ("left", -1), ("right", -1)):
            arrays[name].append(empty)
        arrays["value"].append(dice.gauss(0, 0.05))
        return len(arrays["value"]) - 1

    open_leaves = [node()]
    while len(open_leaves) < leaves:
        at = open_leaves.pop(dice.randrange(len(open_leaves)))
        feature = dice.randrange(5)
        arrays["feature"][at] = feature
        if feature == 1:
            arrays["codes"][at] = sorted(dice.sample(range(4), dice.randint(1, 3)))
        else:
            arrays["threshold"][at] = dice.choice(THRESHOLDS[feature])
        arrays["left"][at], arrays["right"][at] = node(), node()
        open_leaves += [arrays["left"][at], arrays["right"][at]]
    return arrays
