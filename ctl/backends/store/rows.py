"""The tables of the store. Nested values are canonical JSON in `body`; what queries ask for stands in columns beside it."""

from sqlalchemy import Index, Table, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Row(SQLModel, registry=registry()):
    """Base of every row: a metadata of our own, so that other users of SQLModel in the process never meet it."""


class SchemaRow(Row, table=True):
    __tablename__ = "schema_version"
    version: int = Field(primary_key=True)


class ReleaseRow(Row, table=True):
    __tablename__ = "release"
    __table_args__ = (Index("release_name", "service", "id", unique=True),)
    number: int | None = Field(default=None, primary_key=True)
    service: str
    id: str
    built_at: str
    body: str


class RolloutRow(Row, table=True):
    """`place` is "" when terminal, else "planned" or "moving": a service has at most one rollout in each."""

    __tablename__ = "rollout"
    __table_args__ = (
        Index("rollout_revision", "service", "revision", unique=True),
        Index("rollout_place", "service", "place", unique=True, sqlite_where=text("place != ''")),
        Index("rollout_phase", "phase", "service", "revision", "to_release"),
    )
    id: str = Field(primary_key=True)
    service: str
    revision: int
    version: int
    phase: str
    place: str
    to_release: str
    body: str


class FenceRow(Row, table=True):
    """The highest fence that a service's rollouts were saved under."""

    __tablename__ = "fence"
    service: str = Field(primary_key=True)
    fence: int


class FindingRow(Row, table=True):
    """What stands about a service's releases; stores from before it existed get it when they are opened."""

    __tablename__ = "finding"
    service: str = Field(primary_key=True)
    version: int
    body: str


class TargetRow(Row, table=True):
    __tablename__ = "target"
    service: str = Field(primary_key=True)
    count: int


class JournalRow(Row, table=True):
    __tablename__ = "journal"
    __table_args__ = (Index("journal_service", "service", "seq"),)
    seq: int = Field(primary_key=True)
    at: str
    actor: str
    kind: str
    why: str
    service: str
    rollout: str
    body: str
    previous: str
    hash: str


class HeadRow(Row, table=True):
    """The newest link of the journal, so that a cut-off end is noticed."""

    __tablename__ = "journal_head"
    id: int = Field(primary_key=True)
    seq: int
    hash: str


class LeaseRow(Row, table=True):
    """`holder` is "" once released; the row stays, so that the fence goes on growing."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str
    fence: int
    until: str


class TokenRow(Row, table=True):
    __tablename__ = "token"
    name: str = Field(primary_key=True)
    hash: str = Field(unique=True)
    body: str


class AnswerRow(Row, table=True):
    __tablename__ = "answer"
    key: str = Field(primary_key=True)
    request: str
    answer: str
    at: str = Field(index=True)


class RegistryRow(Row, table=True):
    __tablename__ = "registry"
    id: str = Field(primary_key=True)
    service: str
    body: str


METADATA = Row.metadata
SCHEMA, RELEASE, ROLLOUT, FENCE, FINDING, TARGET, JOURNAL, HEAD, LEASE, TOKEN, ANSWER, REGISTRY = (
    METADATA.tables[name]
    for name in ("schema_version", "release", "rollout", "fence", "finding", "target", "journal", "journal_head", "lease", "token", "answer", "registry")
)
TABLES: tuple[Table, ...] = tuple(METADATA.tables.values())
TRIGGERS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS journal_no_{verb.lower()} BEFORE {verb} ON journal BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
