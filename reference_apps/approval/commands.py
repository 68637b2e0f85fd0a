"""The commands of flows, of cases under them, and of reviewers. Each says what it did in a sentence; a refusal names the path."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection

from ctl.kit.database import DatabaseFailed
from reference_apps.approval import shelf, store
from reference_apps.approval.desk import following, reviewers
from reference_apps.approval.flow import migration, modelcheck, picture, reading
from reference_apps.approval.flow.advance import Refused
from reference_apps.approval.flow.model import Flow, FlowId
from reference_apps.approval.flow.reading import FlowRefused
from reference_apps.approval.published import BUNDLED
from reference_apps.approval.store import Store, noted

OK, FAILED, REFUSED, NOT_FOUND = 0, 1, 3, 4


class NotThere(Exception):
    """What was named does not exist."""


def run(argv: Sequence[str]) -> int:
    """Do one command and return its exit code: 0 done, 1 failed, 2 usage, 3 refused, 4 not found."""
    options = _parser().parse_args(argv)
    try:
        for line in options.does(options):
            sys.stdout.write(line + "\n")
    except (FlowRefused, Refused) as error:
        sys.stderr.write(f"refused: {error}\n")
        return REFUSED
    except reviewers.Exists as error:
        sys.stderr.write(f"refused: {error}\n")
        return REFUSED
    except (NotThere, reviewers.Unknown) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_FOUND
    except (DatabaseFailed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_apps.approval", description="Without a command: serve as an instance.")
    parser.add_argument("--data", type=Path, default=None, help="folder with approval.db; else MSXF_DATA_DIR, else the current folder")
    nouns = parser.add_subparsers(required=True, metavar="flow | case | reviewer")
    flow = nouns.add_parser("flow", help="the flows that cases follow").add_subparsers(required=True, metavar="check | show | publish | list")
    check = flow.add_parser("check", help="prove that a flow never pays out without what is mandatory")
    check.add_argument("file", type=Path)
    check.set_defaults(does=_check)
    show = flow.add_parser("show", help="draw a flow: a file, or NAME@VERSION of the published ones; nothing: the one that comes with the app")
    show.add_argument("flow", nargs="?", default="")
    show.add_argument("--mermaid", action="store_true", help="as a Mermaid flowchart")
    show.set_defaults(does=_show)
    publish = flow.add_parser("publish", help="check a flow and put it in force for new cases")
    publish.add_argument("file", type=Path)
    publish.set_defaults(does=_publish)
    flow.add_parser("list", help="what is published").set_defaults(does=_list)
    case = nouns.add_parser("case", help="cases under a flow").add_subparsers(required=True, metavar="migrate")
    migrate = case.add_parser("migrate", help="say whether a version of its flow accepts a case's history, and move it there with --yes")
    migrate.add_argument("case")
    migrate.add_argument("--to", type=int, default=None, help="the version; else the newest")
    migrate.add_argument("--yes", action="store_true")
    migrate.set_defaults(does=_migrate)
    reviewers.add_to(nouns, _opened)
    return parser


def _check(options: argparse.Namespace) -> list[str]:
    flow = _sound(options.file)
    states = len(modelcheck.walked(flow).came)
    return [f"{flow.id} is sound: {len(flow.stages)} stages, {len(flow.profiles)} profiles, {states:,} states, every path checked"]


def _show(options: argparse.Namespace) -> list[str]:
    flow = _named(options)
    return [picture.mermaid(flow) if options.mermaid else picture.text(flow)]


def _publish(options: argparse.Namespace) -> list[str]:
    flow = _sound(options.file)
    kept = _opened(options)
    try:
        with kept.write() as connection:
            is_new = shelf.publish(connection, flow, _now_ms())
    finally:
        kept.close()
    return [f"{flow.id} is published; new cases begin under it within seconds" if is_new else f"{flow.id} was published before; nothing changes"]


def _list(options: argparse.Namespace) -> list[str]:
    kept = _opened(options)
    try:
        return [f"{flow_id.name} v{flow_id.version} {flow_id.hash}" for flow_id, _ in kept.flows()] or ["nothing is published yet"]
    finally:
        kept.close()


def _migrate(options: argparse.Namespace) -> list[str]:
    kept = _opened(options)
    try:
        with kept.write() as connection:
            return [_migrated(kept, connection, options)]
    finally:
        kept.close()


def _migrated(kept: Store, connection: Connection, options: argparse.Namespace) -> str:
    known = store.known(connection, options.case)
    if known is None:
        raise NotThere(f"there is no application {options.case}")
    before = known.case
    wanted = shelf.newest(connection, before.flow.name) if options.to is None else FlowId(before.flow.name, options.to, "")
    new = shelf.taken(connection, wanted) if wanted else None
    if new is None:
        raise NotThere(f"version {options.to} of the flow {before.flow.name} is not published; `flow list` shows what is")
    after = migration.migrated(new, before, _now_ms())
    if not options.yes:
        return f"{new.id} accepts application {before.id} at {before.stage}; --yes moves it there"
    kept.change(connection, new, before, after, noted(after, "migrated", {"at": before.stage}))
    return f"application {before.id} is in {new.id} now, at {after.stage}"


def _named(options: argparse.Namespace) -> Flow:
    named = options.flow or str(BUNDLED / "loan.yaml")
    if Path(named).is_file():
        return reading.read(Path(named).read_text(encoding="utf-8"), named)
    name, _, version = named.partition("@")
    kept = _opened(options)
    try:
        found = kept.flow(FlowId(name, int(version), "")) if version.isdigit() else None
    finally:
        kept.close()
    if found is None:
        raise NotThere(f"{named} is neither a file nor NAME@VERSION of a published flow; `flow list` shows those")
    return found


def _sound(file: Path) -> Flow:
    flow = reading.read(file.read_text(encoding="utf-8"), str(file))
    findings = modelcheck.check(flow)
    if findings:
        raise FlowRefused(str(file), findings)
    return flow


def _opened(options: argparse.Namespace) -> Store:
    folder = options.data or Path(os.environ.get("MSXF_DATA_DIR", "."))
    kept = Store(folder, "command", f"command#{os.getpid()}")
    following.follow(kept)
    return kept


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
