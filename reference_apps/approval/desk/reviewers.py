"""The commands of reviewers: add, list, revoke. A token is printed once, to standard output and nowhere else; what is kept is its hash."""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from reference_apps.approval.desk import accounts, tasks
from reference_apps.approval.desk.bodies import PERSON_ID
from reference_apps.approval.desk.people import MOST_FEN, Reviewer, Role
from reference_apps.approval.store import Store

MOST_NAME = 100

Opened = Callable[[argparse.Namespace], Store]


Exists = accounts.Exists


class Unknown(Exception):
    """There is no reviewer of this id."""


def add_to(nouns: Any, opened: Opened) -> None:
    """Add the commands; `opened` opens the cases that the options name."""
    verbs = nouns.add_parser("reviewer", help="who may sit at the desk").add_subparsers(required=True, metavar="add | list | revoke")
    add = verbs.add_parser("add", help="add a reviewer and print their token, once")
    add.add_argument("id", type=_person_id, help="lower-case letters, digits, dots, dashes: li.wei")
    add.add_argument("--name", type=_name, required=True, help="how colleagues see them")
    add.add_argument("--skill", action="append", default=[], help="a kind of task they may take (credit, fraud, operations, payments); once for each")
    add.add_argument("--ceiling", type=_ceiling, default=MOST_FEN, metavar="FEN", help="largest amount they may decide; else no limit")
    add.add_argument("--role", choices=[str(role) for role in Role], default=str(Role.REVIEWER), help="a supervisor also takes what is overdue")
    add.set_defaults(does=lambda options: _add(options, opened))
    verbs.add_parser("list", help="all reviewers, revoked ones too").set_defaults(does=lambda options: _list(options, opened))
    revoke = verbs.add_parser("revoke", help="take somebody's access away at once")
    revoke.add_argument("id")
    revoke.set_defaults(does=lambda options: _revoke(options, opened))


def _add(options: argparse.Namespace, opened: Opened) -> list[str]:
    skills = tuple(dict.fromkeys(options.skill))
    person = Reviewer(id=options.id, name=options.name, skills=skills, ceiling_fen=options.ceiling, role=Role(options.role))
    with closing(opened(options)) as kept, kept.write() as connection:
        token = accounts.add(connection, person, time.time_ns() // 1_000_000)
    sys.stderr.write(f"{person.id} may sit at the desk. The token is shown this once; give it to {person.name} and to nobody else:\n")
    return [token]


def _list(options: argparse.Namespace, opened: Opened) -> list[str]:
    with closing(opened(options)) as kept, kept.read() as connection:
        people = accounts.everybody(connection)
    return [_line(person) for person in people] or ["nobody may sit at the desk; `reviewer add ID --name NAME --skill credit` changes that"]


def _revoke(options: argparse.Namespace, opened: Opened) -> list[str]:
    with closing(opened(options)) as kept, kept.write() as connection:
        if not accounts.revoke(connection, options.id):
            raise Unknown(f"there is no reviewer {options.id}; `reviewer list` shows who there is")
    return [f"{options.id} may no longer sit at the desk; what they decided stays, what they hold is open again when the claim runs out"]


def _line(person: Reviewer) -> str:
    ceiling = "no limit" if person.ceiling_fen == MOST_FEN else f"up to {tasks.yuan(person.ceiling_fen)} yuan"
    state = "●" if person.active else "○ revoked"
    return f"{state} {person.id}  {person.name}  {person.role}  {', '.join(person.skills) or 'no skill'}  {ceiling}"


def _person_id(text: str) -> str:
    if not PERSON_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no id; write lower-case letters, digits, dots, dashes: li.wei")
    return text


def _name(text: str) -> str:
    if not 0 < len(text.strip()) <= MOST_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name; write 1 to {MOST_NAME} printable characters")
    return text.strip()


def _ceiling(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= MOST_FEN):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount in fen; write 0 to {MOST_FEN}")
    return int(text)
