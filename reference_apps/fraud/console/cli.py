"""The operator's commands, beside the running instances: try rules on the log, switch them, say who may work on cases; and made-up towns to measure by."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from ctl.kit.database import DatabaseFailed
from reference_apps.fraud.console import screens
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.people import People, Person, Role
from reference_apps.fraud.notes import Note, Switch, Trial
from reference_apps.fraud.policy.policy import BadPolicy
from reference_apps.fraud.policy.switching import content_of, rules_of
from reference_apps.fraud.simulating import commands
from reference_apps.fraud.trying import history, permission

USAGE, REFUSED, NOT_FOUND, OUT_OF_REACH = 2, 3, 4, 5
STATUSES = "Status: 0 ok, 2 bad input, 3 refused, 4 not found, 5 out of reach."
FRAUD = {"1": True, "true": True, "0": False, "false": False}


class Stop(Exception):
    """Ends a command with a status of its own, and says why."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


@click.group(epilog=STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Try fraud's rules on its log and switch them, and measure its models on made-up towns. Without a command this is the service itself."""


FOLDER = click.option("--log", "folder", type=click.Path(path_type=Path), envvar="MSXF_DATA_DIR", required=True, help="Folder with events.db (MSXF_DATA_DIR).")
OUTPUT = click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Shape of the answer on standard output.")
BY = click.option("--by", required=True, help="Who does it; it stands in the log.")


@cli.command("try")
@FOLDER
@click.option("--policy", "file", type=click.File(encoding="utf-8"), help="The policy to try (- is standard input); without it, the one in force.")
@click.option("--rule", help="Only this rule of it, as if it were switched on beside what is in force.")
@click.option("--days", type=click.IntRange(1, 3660), help="Only events of the last days count.")
@click.option("--labels", type=click.File(encoding="utf-8"), help="CSV with event_id and fraud (1 or 0); feedback on cases counts anyway.")
@click.option("--by", help="Log the trial of the rule under this name, so that it can be switched on.")
@OUTPUT
def try_(folder: Path, file: Any, rule: str | None, days: int | None, labels: Any, by: str | None, output: str) -> int:
    """Show what a policy, or one rule, would have done over the log, before it is switched on."""
    if by and not rule:
        raise click.UsageError("--by logs the trial of one rule: name it with --rule")
    _there(folder)
    wish = history.Wish(text=file.read() if file else None, rule=rule, days=days)
    table = history.run(folder, wish, _labels(labels) if labels else None)
    if by and rule:
        told = table["rules"][0]
        _append(folder, Trial(id=f"trial-{uuid4().hex[:16]}", by=by, at_ms=_now_ms(), rule=rule, content=told["content"], events=table["events"], table=table))
    click.echo(json.dumps(table, ensure_ascii=False) if output == "json" else screens.trial(table), nl=output == "json")
    return 0


@cli.command()
@FOLDER
@OUTPUT
def rules(folder: Path, output: str) -> int:
    """List the rules in force."""
    _there(folder)
    log = Log(folder, "console")
    try:
        told = {"rules": [{**each, "content": content_of(each)} for each in rules_of(history.in_force(log)).values()]}
    finally:
        log.close()
    click.echo(json.dumps(told, ensure_ascii=False) if output == "json" else screens.rules(told), nl=output == "json")
    return 0


@cli.command()
@FOLDER
@click.argument("rule")
@BY
@click.option("--anyway", is_flag=True, help="Though it was neither tried nor in shadow long enough; say why with --reason.")
@click.option("--reason", default="", help="Why; it stands in the log.")
def activate(folder: Path, rule: str, by: str, anyway: bool, reason: str) -> int:
    """Switch a RULE on: refused unless a trial or a time in shadow of exactly what it says stands in the log."""
    if anyway and not reason:
        raise click.UsageError("--anyway needs a --reason")
    _there(folder)
    told, stands_on = _standing(folder, rule)
    if stands_on is None and not anyway:
        said = f"rule {rule} ({content_of(told)}) was neither tried on {permission.FEWEST_EVENTS} events nor that long in shadow"
        raise Stop(f"{said}; `try --rule {rule} --by NAME` tries it, --anyway with --reason goes without", REFUSED)
    _switch(folder, {**told, "state": "active"}, by, stands_on or "nothing: anyway", reason)
    click.echo(f"{rule} is switched on, on {stands_on or 'nothing: anyway'}")
    return 0


@cli.command()
@FOLDER
@click.argument("rule")
@BY
@click.option("--reason", required=True, help="Why; it stands in the log.")
def deactivate(folder: Path, rule: str, by: str, reason: str) -> int:
    """Put a RULE back in shadow."""
    _there(folder)
    told, _ = _standing(folder, rule)
    _switch(folder, {**told, "state": "shadow"}, by, "", reason)
    click.echo(f"{rule} is in shadow")
    return 0


cli.add_command(commands.simulate)
cli.add_command(commands.measure)


@cli.group()
def person() -> None:
    """Who may work on cases and rules."""


@person.command("add")
@FOLDER
@click.argument("person_id")
@click.option("--name", required=True, help="How colleagues see them.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default=str(Role.ANALYST), show_default=True)
def person_add(folder: Path, person_id: str, name: str, role: str) -> int:
    """Add somebody and print their token, once."""
    token = _with_people(folder, lambda people: people.add(Person(id=person_id, name=name, role=Role(role))))
    if token is None:
        raise Stop(f"there is somebody with the id {person_id} already; what they did is kept under it: choose another", REFUSED)
    click.echo(f"{person_id} may work on cases. The token is shown this once; give it to {name} and to nobody else:", err=True)
    click.echo(token)
    return 0


@person.command("revoke")
@FOLDER
@click.argument("person_id")
def person_revoke(folder: Path, person_id: str) -> int:
    """Take somebody's access away at once."""
    if not _with_people(folder, lambda people: people.revoke(person_id)):
        raise Stop(f"there is nobody with the id {person_id}; `person list` shows everybody", NOT_FOUND)
    click.echo(f"{person_id} has no access any more")
    return 0


@person.command("list")
@FOLDER
def person_list(folder: Path) -> int:
    """Show everybody, those revoked too."""
    everybody = _with_people(folder, People.everybody)
    rows = [(each.id, each.name, str(each.role), "" if each.active else "revoked") for each in everybody]
    click.echo("\n".join(screens.table(("id", "name", "role", ""), rows)))
    return 0


def _with_people(folder: Path, work: Callable[[People], Any]) -> Any:
    people = People(folder)
    try:
        return work(people)
    finally:
        people.close()


def _there(folder: Path) -> None:
    if not (folder / "events.db").is_file():
        raise Stop(f"{folder} has no events.db: name the data folder of fraud with --log", NOT_FOUND)


def _standing(folder: Path, rule: str) -> tuple[Any, str | None]:
    """Return a rule as it is in force, and on what it may be switched on."""
    log = Log(folder, "console")
    try:
        told = rules_of(history.in_force(log)).get(rule)
        if told is None:
            raise Stop(f"there is no rule {rule}; `rules` lists them", NOT_FOUND)
        notes = log.notes()
        trials = [note for _, note in notes if isinstance(note, Trial)]
        return told, permission.basis(told, trials, [(at, note) for at, note in notes if isinstance(note, Switch)], log.last())
    finally:
        log.close()


def _switch(folder: Path, told: Any, by: str, basis: str, reason: str) -> None:
    _append(folder, Switch(id=f"switch-{uuid4().hex}", by=by, at_ms=_now_ms(), told=told, content=content_of(told), basis=basis, reason=reason))


def _append(folder: Path, note: Note) -> None:
    log = Log(folder, "console")
    try:
        log.append([note])
    finally:
        log.close()


def _labels(file: Any) -> dict[str, bool]:
    rows = csv.DictReader(file)
    if not {"event_id", "fraud"} <= set(rows.fieldnames or ()):
        raise Stop(f"{file.name}: the columns are {rows.fieldnames}; there must be event_id and fraud", USAGE)
    found: dict[str, bool] = {}
    for number, row in enumerate(rows, 2):
        if row["fraud"].strip().lower() not in FRAUD:
            raise Stop(f"{file.name} line {number}: fraud is {row['fraud']!r}; say 1 or 0", USAGE)
        found[row["event_id"]] = FRAUD[row["fraud"].strip().lower()]
    return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def run(args: list[str]) -> int:
    """Do what the command line says and return the exit status."""
    try:
        result = cli.main(args, prog_name="fraud", standalone_mode=False)
    except Stop as error:
        click.echo(f"✖ {error}", err=True)
        return error.status
    except BadPolicy as error:
        click.echo(f"✖ {error}", err=True)
        return USAGE
    except DatabaseFailed as error:
        click.echo(f"✖ {error}", err=True)
        return OUT_OF_REACH
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return result if isinstance(result, int) else 0
