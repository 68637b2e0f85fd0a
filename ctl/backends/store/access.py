"""Tokens and given answers in SQLite."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from ctl.backends.store.engine import Database
from ctl.backends.store.rows import ANSWER, TOKEN
from ctl.errors import NotFound, Refused
from ctl.model import codec
from ctl.model.access import Token

KEPT = timedelta(hours=24)


class SqlTokens:
    """Access tokens by name and by hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Sequence[Token]:
        with self._database.read("read the tokens") as connection:
            bodies = connection.execute(select(TOKEN.c.body).order_by(TOKEN.c.name)).scalars().all()
        return tuple(codec.from_json(Token, json.loads(body)) for body in bodies)

    def put(self, token: Token) -> None:
        row = {"name": token.name, "hash": token.hash, "body": codec.canonical(codec.to_json(token))}
        with self._database.write(f"keep token {token.name}") as connection:
            if not connection.execute(insert(TOKEN).values(row).on_conflict_do_nothing()).rowcount:
                raise Refused(f"a token named {token.name!r} exists", remedy=f"choose another name, or `msxfctl token remove {token.name}`")

    def remove(self, name: str) -> None:
        with self._database.write(f"remove token {name}") as connection:
            if not connection.execute(delete(TOKEN).where(TOKEN.c.name == name)).rowcount:
                raise NotFound(f"there is no token named {name!r}", remedy="see `msxfctl token list`")

    def find(self, hash: str) -> Token | None:
        with self._database.read("look a token up") as connection:
            body = connection.execute(select(TOKEN.c.body).where(TOKEN.c.hash == hash)).scalar_one_or_none()
        return None if body is None else codec.from_json(Token, json.loads(body))


class SqlAnswers:
    """Answers already given, kept for 24 hours."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str) -> tuple[str, str] | None:
        with self._database.read("look an answer up") as connection:
            row = connection.execute(select(ANSWER.c.request, ANSWER.c.answer).where(ANSWER.c.key == key)).one_or_none()
        return None if row is None else (row.request, row.answer)

    def put(self, key: str, request: str, answer: str, now: datetime) -> None:
        row = {"key": key, "request": request, "answer": answer, "at": codec.iso(now)}
        with self._database.write("keep an answer") as connection:
            connection.execute(delete(ANSWER).where(ANSWER.c.at < codec.iso(now - KEPT)))
            connection.execute(insert(ANSWER).values(row).on_conflict_do_nothing())
