"""`simulate` writes a town's log with its labels; `measure` plays held-out towns through the whole engine and says how well it tells fraud from honest life."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from reference_apps.fraud.policy import policy
from reference_apps.fraud.simulating import measuring, story, tables

VERBS = ("simulate", "measure")
ENCODER = msgspec.json.Encoder()


def run(told: Sequence[str]) -> int:
    """Do what the words say and return the exit status: 0 done, 1 failed, 2 usage."""
    chosen = _parser().parse_args(told)
    try:
        return _simulate(chosen) if chosen.verb == "simulate" else _measure(chosen)
    except (ValueError, OSError, policy.BadPolicy) as error:
        print(f"{chosen.verb}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_apps.fraud", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    simulate = verbs.add_parser("simulate", help="write events.jsonl and labels.jsonl of a town")
    simulate.add_argument("--seed", type=int, default=1, help="the same seed writes the same bytes")
    simulate.add_argument("--out", type=Path, required=True, help="folder to write to")
    measure = verbs.add_parser("measure", help="precision, recall and AUC of each model and of the verdicts")
    seeds = ",".join(map(str, measuring.HELD_OUT_SEEDS))
    measure.add_argument("--seeds", default=seeds, help=f"towns, with commas between; by default the held-out ones: {seeds}")
    measure.add_argument("--policy", type=Path, help="a policy to measure instead of the one that ships")
    measure.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    for verb in (simulate, measure):
        verb.add_argument("--days", type=int, default=measuring.DAYS)
        verb.add_argument("--customers", type=int, default=measuring.CUSTOMERS)
    return parser


def _simulate(chosen: argparse.Namespace) -> int:
    told = story.tell(chosen.seed, days=chosen.days, customers=chosen.customers)
    chosen.out.mkdir(parents=True, exist_ok=True)
    labels = [told.labels[event.id] for event in told.events if event.id in told.labels]
    for name, lines in (("events.jsonl", told.events), ("labels.jsonl", labels)):
        (chosen.out / name).write_bytes(ENCODER.encode_lines(lines))
    print(f"{len(told.events)} events, {len(labels)} of them fraud in {len({label.incident for label in labels})} incidents: {chosen.out}")
    return 0


def _measure(chosen: argparse.Namespace) -> int:
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    held = policy.load(chosen.policy)
    seen = measuring.play(held, seeds, days=chosen.days, customers=chosen.customers)
    models, verdicts, anomalies = measuring.of_models(held, seen), measuring.of_verdicts(seen), measuring.of_anomalies(seen)
    if chosen.json:
        said = {"seeds": seeds, "models": [asdict(each) for each in models], "verdicts": asdict(verdicts), "anomaly_auc": anomalies}
        print(ENCODER.encode(said).decode())
    else:
        print("\n".join((*tables.of_models(models, anomalies), "", *tables.of_verdicts(verdicts, anomalies))))
    return 0
