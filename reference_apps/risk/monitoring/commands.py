"""The command that looks at the models of a running risk; its exit status is the gate of a promotion."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctl.kit.identity import Identity
from ctl.kit.problem import Problem
from reference_apps.risk.monitoring import gathering, views
from reference_apps.risk.monitoring.finding import said

FINE, FAILED, DRIFTED = 0, 1, 8
ALL = 100_000
Verb = Callable[[str, str, Callable[[Any], int]], argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Add the command to a parser."""
    monitor = verb("monitor", "compare the newest decisions with training, by model, segment and scene; exit status 8: a model has drifted", show)
    monitor.add_argument("--data", type=Path, default=Identity.from_environ().data_dir, help="the data folder of risk")
    monitor.add_argument("--last", type=int, default=ALL, help="how many of the newest decisions")
    became = f"what became of loans (CSV {','.join(gathering.COLUMNS)}); left out: {gathering.OUTCOMES} of the data folder"
    monitor.add_argument("--outcomes", type=Path, help=became)
    monitor.add_argument("-o", "--output", choices=("text", "json"), default="text")


def show(options: Any) -> int:
    """Show the report. Raises DatabaseFailed."""
    try:
        report = gathering.gather(options.data, options.last, options.outcomes)
    except Problem as error:
        _say(f"✖ {error.detail} ({error.remedy})")
        return FAILED
    if options.output == "json":
        _say(json.dumps(views.as_json(report), ensure_ascii=False))
    else:
        _say(*views.lines(report), *(f"✖ {said(row)}: do not promote it, or go back to the last package" for row in report.drifted))
    return DRIFTED if report.drifted else FINE


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
