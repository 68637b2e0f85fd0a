"""python -m bench NAME [--json]: run one benchmark, or all of them; exit status 1 when a goal is missed."""

import argparse
import importlib
import sys

from bench.report import Report

BENCHES = {
    "cli": "how quickly the command answers with the whole catalog",
    "daemon": "what the daemon costs with the whole catalog",
    "rollout": "how long a rollout takes, alone and thirty at once",
    "scale": "decisions at 310 services x 2,000 hosts x 6,000 instances",
    "month": "a month of 1,289 releases, 5 % of them bad",
    "gateway": "what the gateway adds, and how soon it is back",
    "risk": "decisions a second, the latency of one, a package swapped under load",
    "fraud": "what the models are worth on held-out towns, checks a second, answers over HTTP, and the start with a long log",
    "approval": "applications a second through approval, and from request to loan through the gateway",
    "ledger": "the ledger's engine: durable transfers, postings, recovery, ten million accounts",
    "loans": "repayment schedules a second, exact to the fen; the end of a day for a million loans",
}
STORIES = {"demo": "the whole story, under load", "fleet": "the whole catalog as processes, then thirty rollouts"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, *STORIES, "all"], help="; ".join(f"{name}: {what}" for name, what in {**BENCHES, **STORIES}.items()))
    parser.add_argument("--json", action="store_true", help="one JSON object per figure on standard output")
    options = parser.parse_args()
    report = Report(as_json=options.json)
    for name in BENCHES if options.name == "all" else [options.name]:
        importlib.import_module(f"bench.{name}").run(report)
    if not options.json and options.name not in STORIES:
        report.print_table()
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
