"""The commands of risk's operators, those of training and monitoring among them. Each prints what it found; the exit status says it again for scripts."""

import argparse
import functools
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctl.kit.database import DatabaseFailed
from ctl.kit.identity import Identity
from reference_apps.risk.deciding import probing
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.keeping import previewing
from reference_apps.risk.keeping.log import FILE, LogReader
from reference_apps.risk.keeping.replaying import Replay
from reference_apps.risk.monitoring import commands as monitoring
from reference_apps.risk.packages import reading
from reference_apps.risk.packages.faults import BadPackage
from reference_apps.risk.packages.shelf import Shelf
from reference_apps.risk.report import commands as report
from reference_apps.risk.training import commands as training

FINE, FAILED, REFUSED, NOT_FOUND, DIFFERENT = 0, 1, 3, 4, 8
Options = Any


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BadPackage as error:
        _say(*(f"✖ {fault}" for fault in error.faults), f"the package is refused: {len(error.faults)} faults")
        return REFUSED
    except (DatabaseFailed, OSError) as error:
        _say(f"✖ {error}")
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_apps.risk", description="Without a command: serve.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    check = _verb(verbs, "check", "name every fault of a package, and look for better evidence that gets less", check_package)
    check.add_argument("folder", type=Path)
    publish = _verb(verbs, "publish", "check a package, keep it by its hash, and let followers take it", publish_package)
    publish.add_argument("folder", type=Path)
    preview = _verb(verbs, "preview", "decide recorded questions again with a package, and show what would be different", preview_package)
    preview.add_argument("folder", type=Path)
    preview.add_argument("--log", type=Path, help=f"the decision log; left out: {FILE} of the data folder")
    preview.add_argument("--last", type=int, default=100_000, help="how many of the newest decisions")
    preview.add_argument("--examples", type=int, default=10)
    replay = _verb(verbs, "replay", "decide logged decisions again and compare the bytes", replay_decisions)
    replay.add_argument("decision", nargs="?", default="", help="its id; left out: all of them")
    for part in (training, monitoring, report):
        part.add(functools.partial(_verb, verbs))
    for verb in (publish, preview, replay):
        verb.add_argument("--data", type=Path, default=Identity.from_environ().data_dir, help="the data folder of risk")
    for verb in (preview, replay):
        verb.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


def _verb(verbs: Any, name: str, help: str, does: Callable[[Options], int]) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=help)
    verb.set_defaults(run=does)
    return verb


def check_package(options: Options) -> int:
    decider = _checked(options.folder)
    package = decider.package
    _say(f"✔ {package.name} {package.version} may decide: {package.hash}")
    return FINE


def publish_package(options: Options) -> int:
    package = _checked(options.folder).package
    shelf = Shelf(options.data)
    shelf.keep(package)
    shelf.point_at(package.hash)
    _say(f"✔ {package.name} {package.version} is published: {package.hash}")
    return FINE


def _checked(folder: Path) -> Decider:
    """Read a package, and try whether better evidence ever gets less. Raises BadPackage."""
    decider = Decider(reading.read(folder, datetime.now(UTC).date()))
    if found := probing.faults(decider):
        raise BadPackage(str(folder), found)
    return decider


def preview_package(options: Options) -> int:
    """Preview a package that may decide, in effect already or not; whether better evidence gets less, check and publish say."""
    decider = Decider(reading.read(options.folder))
    log = LogReader(options.log or options.data / FILE)
    made = previewing.preview(decider, log.entries(last=options.last), options.examples)
    _say(*([json.dumps(made.as_json(), ensure_ascii=False)] if options.output == "json" else previewing.lines(made)))
    return DIFFERENT if made.changed or made.undecidable else FINE


def replay_decisions(options: Options) -> int:
    log, replay = LogReader(options.data / FILE), Replay(Shelf(options.data))
    if not options.decision:
        return _replay_all(log, replay)
    entry = log.find(options.decision)
    if entry is None:
        _say(f"✖ there is no decision {options.decision} in {options.data / FILE}")
        return NOT_FOUND
    again = replay.one(entry)
    if options.output == "json":
        _say(again.output.decode())
        return FINE if again.is_same else DIFFERENT
    when = datetime.fromtimestamp(entry.at_ms / 1000, UTC).isoformat(timespec="seconds")
    _say(f"{entry.decision_id} of {when}: {entry.outcome}, package {entry.package}")
    _say(f"✔ decided again: the same {len(again.output):,} bytes" if again.is_same else f"✖ decided again, it differs: {again.output.decode()}")
    return FINE if again.is_same else DIFFERENT


def _replay_all(log: LogReader, replay: Replay) -> int:
    count, different = 0, []
    for each in replay.all(log.entries()):
        count += 1
        if not each.is_same:
            different.append(each.entry.decision_id)
    _say(f"{count:,} decisions decided again, {len(different):,} differ", *(f"✖ {named}" for named in different[:10]))
    return DIFFERENT if different else FINE


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
