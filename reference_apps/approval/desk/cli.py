"""python -m reference_apps.approval reviewer add|list|revoke: who may sit at the desk, kept in the data folder of the cases.

A token is printed once, to standard output and nowhere else; what is kept is its hash. Tokens are never arguments.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import click

from ctl.kit.database import Database, DatabaseFailed
from ctl.kit.identity import Identity
from reference_apps.approval.desk import accounts, tasks
from reference_apps.approval.desk.bodies import PERSON_ID
from reference_apps.approval.desk.people import MOST_FEN, Reviewer, Role
from reference_apps.approval.desk.store import SCHEMA

MOST_NAME = 100


@click.group(name="reviewer")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder that holds approval.db; else MSXF_DATA_DIR, as the service has it.")
@click.pass_context
def reviewer(context: click.Context, data: Path | None) -> None:
    """Add, list and revoke reviewers."""
    folder = data or Identity.from_environ().data_dir
    context.obj = context.with_resource(_opened(folder))


@reviewer.command()
@click.argument("person_id", metavar="ID")
@click.option("--name", required=True, help="How colleagues see them.")
@click.option("--skill", "skills", multiple=True, help="A kind of task they may take: credit, fraud, operations, payments. Give it once for each.")
@click.option("--ceiling", type=click.IntRange(0, MOST_FEN), default=MOST_FEN, help="Largest amount they may decide, in fen.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default=str(Role.REVIEWER), show_default=True)
@click.pass_obj
def add(database: Database, person_id: str, name: str, skills: tuple[str, ...], ceiling: int, role: str) -> None:
    """Add a reviewer and print their token, once."""
    if not PERSON_ID.fullmatch(person_id):
        raise click.ClickException(f"ID is {person_id!r}; write lower-case letters, digits, dots, dashes: li.wei")
    if not 0 < len(name.strip()) <= MOST_NAME or not name.isprintable():
        raise click.ClickException(f"--name is {name!r}; write 1 to {MOST_NAME} printable characters")
    person = Reviewer(id=person_id, name=name.strip(), skills=tuple(dict.fromkeys(skills)), ceiling_fen=ceiling, role=Role(role))
    try:
        with database.write() as connection:
            token = accounts.add(connection, person, time.time_ns() // 1_000_000)
    except accounts.Exists as error:
        raise click.ClickException(f"there is a reviewer {person_id} already; what they did is kept under that id: choose another") from error
    click.echo(f"{person_id} may sit at the desk. This token is shown once; give it to {person.name} and to nobody else:", err=True)
    click.echo(token)


@reviewer.command(name="list")
@click.pass_obj
def list_(database: Database) -> None:
    """List reviewers, revoked ones too."""
    with database.read() as connection:
        people = accounts.everybody(connection)
    for person in people:
        ceiling = "no limit" if person.ceiling_fen == MOST_FEN else f"up to {tasks.yuan(person.ceiling_fen)} yuan"
        state = "●" if person.active else "○ revoked"
        click.echo(f"{state} {person.id}  {person.name}  {person.role}  {', '.join(person.skills) or 'no skill'}  {ceiling}")
    if not people:
        click.echo("Nobody may sit at the desk. Next: reviewer add ID --name NAME --skill credit", err=True)


@reviewer.command()
@click.argument("person_id", metavar="ID")
@click.pass_obj
def revoke(database: Database, person_id: str) -> None:
    """Take somebody's access away at once. What they hold is open again when their claim runs out, or when a supervisor releases it."""
    with database.write() as connection:
        is_known = accounts.revoke(connection, person_id)
    if not is_known:
        raise click.ClickException(f"there is no reviewer {person_id}; `reviewer list` shows who there is")
    click.echo(f"{person_id} may no longer sit at the desk. What they decided stays.")


@contextmanager
def _opened(folder: Path) -> Iterator[Database]:
    """The file of the cases, open as long as a command runs."""
    try:
        database = Database(folder / "approval.db", SCHEMA)
    except (DatabaseFailed, OSError) as error:
        raise click.ClickException(f"the cases in {folder} cannot be opened: {error}") from error
    with closing(database):
        yield database


def run(argv: Sequence[str]) -> int:
    """Run a command; return its exit status."""
    try:
        reviewer.main(args=list(argv), prog_name="reviewer", standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    return 0
