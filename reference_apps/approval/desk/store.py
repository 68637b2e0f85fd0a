"""Tasks as rows beside the cases: functions over an open transaction, so that a task, its case and their events commit together.

Four-eyes is kept here: whoever acts on a case is a row of `actors`, each person once for each case, and a decision is only written by one of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from sqlite3 import Connection, IntegrityError
from typing import Any

from reference_apps.approval.desk import accounts, papers, tasks
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.desk.tasks import Decision, Outcome, Refused, State, Task, Why

TABLES = """
CREATE TABLE IF NOT EXISTS tasks (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, case_id TEXT NOT NULL, stage TEXT NOT NULL, visit INTEGER NOT NULL,
    skill TEXT NOT NULL, amount_fen INTEGER NOT NULL, flow_version TEXT NOT NULL, opened_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,
    escalate_ms INTEGER, sla_ms INTEGER NOT NULL, judges INTEGER NOT NULL, choices TEXT NOT NULL,
    version INTEGER NOT NULL, level INTEGER NOT NULL, state TEXT NOT NULL,
    claimant TEXT, claimant_name TEXT NOT NULL, lease_until_ms INTEGER, decided_by TEXT, decision TEXT
);
CREATE INDEX IF NOT EXISTS tasks_waiting ON tasks (due_ms, number) WHERE state IN ('open', 'claimed');
CREATE INDEX IF NOT EXISTS tasks_escalate ON tasks (escalate_ms) WHERE state IN ('open', 'claimed');
CREATE INDEX IF NOT EXISTS tasks_lease ON tasks (lease_until_ms) WHERE state = 'claimed';
CREATE INDEX IF NOT EXISTS tasks_case ON tasks (case_id, number);
CREATE UNIQUE INDEX IF NOT EXISTS tasks_four_eyes ON tasks (case_id, decided_by) WHERE decided_by IS NOT NULL AND judges;
CREATE TABLE IF NOT EXISTS actors (
    case_id TEXT NOT NULL, person TEXT NOT NULL, did TEXT NOT NULL, task_id TEXT, at_ms INTEGER NOT NULL, judged INTEGER NOT NULL,
    PRIMARY KEY (case_id, person)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS tasks_decider_acts BEFORE UPDATE OF decided_by ON tasks WHEN NEW.decided_by IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM actors WHERE case_id = NEW.case_id AND person = NEW.decided_by AND iif(NEW.judges, task_id = NEW.id, NOT judged))
    BEGIN SELECT RAISE(ABORT, 'four eyes: the decider is not the one who acts here'); END;
CREATE TRIGGER IF NOT EXISTS tasks_decided_once BEFORE UPDATE ON tasks WHEN OLD.state = 'decided'
    BEGIN SELECT RAISE(ABORT, 'a decided task does not change'); END;
CREATE TABLE IF NOT EXISTS task_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL, case_id TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    person TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS task_events_case ON task_events (case_id, number);
"""
SCHEMA = TABLES + accounts.SCHEMA + papers.SCHEMA
"""Everything that the desk keeps."""

PLAIN = (
    "id", "case_id", "stage", "visit", "skill", "amount_fen", "flow_version", "opened_ms", "due_ms", "escalate_ms", "sla_ms", "judges", "choices",
    "version", "level", "state", "claimant", "claimant_name", "lease_until_ms",
)  # fmt: skip
CHANGING = ("escalate_ms", "version", "level", "state", "claimant", "claimant_name", "lease_until_ms")
JUDGES = PLAIN.index("judges")
COLUMNS = f"{', '.join(PLAIN)}, decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a task's history; `person` is empty where time did it."""

    task_id: str
    at_ms: int
    kind: str
    person: str = ""
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which tasks somebody wants to see: those open to them and their own, only their own, or also what others hold; from beyond the task `after`."""

    scope: str = "open"
    skill: str = ""
    after: str = ""
    limit: int = 50


def open_task(connection: Connection, task: Task) -> Task:
    """Write a new task and return it with everybody who has acted on its case; one that is there already is returned as it stands."""
    names = [*PLAIN, "decision"]
    values = [*((" ".join(task.choices) if name == "choices" else getattr(task, name)) for name in PLAIN), None]
    marks = ", ".join("?" * len(names))
    written = connection.execute(f"INSERT OR IGNORE INTO tasks ({', '.join(names)}) VALUES ({marks})", values)
    if written.rowcount:
        note(connection, task, Line(task_id=task.id, at_ms=task.opened_ms, kind="opened", body={"skill": task.skill, "due_ms": task.due_ms}))
    found = find(connection, task.id)
    assert found is not None
    return found


def find(connection: Connection, task_id: str) -> Task | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM tasks WHERE id = ?", (task_id,)).fetchone()
    return _tasks(connection, [row])[0] if row else None


def of_case(connection: Connection, case_id: str) -> list[Task]:
    """Return a case's tasks, oldest first."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM tasks WHERE case_id = ? ORDER BY number", (case_id,))
    return _tasks(connection, rows.fetchall())


def actors(connection: Connection, case_id: str, *, judged: bool = False) -> dict[str, str]:
    """Return what each person did on a case, first to last; `judged`: without those who only had a failed step tried again."""
    only = " AND judged" if judged else ""
    return dict(connection.execute(f"SELECT person, did FROM actors WHERE case_id = ?{only} ORDER BY at_ms, person", (case_id,)).fetchall())


def bar(connection: Connection, case_id: str, person: str, did: str, now_ms: int) -> None:
    """Note that somebody has acted on a case (edited it, brought it in): they may decide none of its tasks, and lose a claim they hold."""
    weighs_more = "ON CONFLICT DO UPDATE SET did = excluded.did, judged = 1 WHERE NOT judged"
    connection.execute(f"INSERT INTO actors VALUES (?, ?, ?, NULL, ?, 1) {weighs_more}", (case_id, person, did, now_ms))
    for task in of_case(connection, case_id):
        before = replace(task, acted={})
        after = tasks.bar(before, person, did)
        if after.version != before.version:
            write(connection, before, after, Line(task_id=task.id, at_ms=now_ms, kind="barred", person=person, body={"did": did}))


def write(connection: Connection, before: Task, after: Task, line: Line) -> Refused | None:
    """Write a change of a task and its line of history; a decision also enters its decider among the case's actors.

    Refused when the rows know that this person has acted on the case: the transaction is to be rolled back then. Raises IntegrityError when
    `before` is not what stands there.
    """
    if after.decision is not None and (refused := _enter(connection, after, after.decision)):
        return refused
    decided = (after.decision.person, json.dumps(asdict(after.decision), ensure_ascii=False)) if after.decision else (None, None)
    values = [*(getattr(after, name) for name in CHANGING), *decided, after.id, before.version, before.state]
    put = ", ".join(f"{name} = ?" for name in CHANGING)
    try:
        changed = connection.execute(f"UPDATE tasks SET {put}, decided_by = ?, decision = ? WHERE id = ? AND version = ? AND state = ?", values)
    except IntegrityError:
        if after.decision is None:
            raise
        return _acted(after.decision.name, "decided another of its tasks")
    if changed.rowcount != 1:
        raise IntegrityError(f"task {after.id} is no longer at version {before.version}")
    note(connection, after, line)
    return None


def note(connection: Connection, task: Task, line: Line) -> None:
    """Add a line to a task's history."""
    body = json.dumps(line.body, ensure_ascii=False)
    row = (line.task_id, task.case_id, line.at_ms, line.kind, line.person, body)
    connection.execute("INSERT INTO task_events (task_id, case_id, at_ms, kind, person, body) VALUES (?, ?, ?, ?, ?, ?)", row)


def history(connection: Connection, case_id: str) -> list[Line]:
    """Return everything that happened to the tasks of a case, oldest first."""
    query = "SELECT task_id, at_ms, kind, person, body FROM task_events WHERE case_id = ? ORDER BY number"
    names = ("task_id", "at_ms", "kind", "person")
    return [Line(**dict(zip(names, row[:4], strict=True)), body=json.loads(row[4])) for row in connection.execute(query, (case_id,))]


def queue(connection: Connection, person: Reviewer, wish: Wish, now_ms: int) -> list[Task]:
    """Return the tasks that somebody may take, most urgent first."""
    where, values = _wanted(person, wish, now_ms)
    beyond = "(due_ms, number) > (SELECT due_ms, number FROM tasks WHERE id = ?)" if wish.after else "1"
    after = [wish.after] if wish.after else []
    query = f"SELECT {COLUMNS} FROM tasks WHERE {where} AND {beyond} ORDER BY due_ms, number LIMIT ?"
    rows = connection.execute(query, [*values, *after, wish.limit]).fetchall()
    return _tasks(connection, rows)


def count(connection: Connection, person: Reviewer, wish: Wish, now_ms: int) -> tuple[int, int]:
    """Return how many tasks somebody may take, and how many of them are overdue."""
    where, values = _wanted(person, wish, now_ms)
    row = connection.execute(f"SELECT count(*), coalesce(sum(due_ms <= ?), 0) FROM tasks WHERE {where}", [now_ms, *values]).fetchone()
    return int(row[0]), int(row[1])


def due(connection: Connection, now_ms: int, limit: int) -> list[Task]:
    """Return tasks that time has something to say about: a level to raise, or a lease that has run out."""
    overdue = "SELECT number FROM tasks WHERE state IN ('open', 'claimed') AND escalate_ms <= ?"
    left = "SELECT number FROM tasks WHERE state = 'claimed' AND lease_until_ms <= ?"
    query = f"SELECT {COLUMNS} FROM tasks WHERE number IN ({overdue} UNION {left}) ORDER BY due_ms, number LIMIT ?"
    rows = connection.execute(query, (now_ms, now_ms, limit)).fetchall()
    return [_task(row, {}) for row in rows]


def _wanted(person: Reviewer, wish: Wish, now_ms: int) -> tuple[str, list[Any]]:
    """Return the condition for the tasks that somebody may take, and its values. It says the same as tasks.barred, for many rows at once."""
    marks = ", ".join("?" * len(person.skills)) or "NULL"
    skilled = f"skill IN ({marks})" + (" OR level > 0" if person.role is Role.SUPERVISOR else "")
    parts = [f"state IN ('open', 'claimed') AND amount_fen <= ? AND ({skilled})"]
    parts += ["NOT EXISTS (SELECT 1 FROM actors WHERE actors.case_id = tasks.case_id AND person = ? AND (tasks.judges OR judged))"]
    values: list[Any] = [person.ceiling_fen, *person.skills, person.id]
    if wish.skill:
        parts, values = [*parts, "skill = ?"], [*values, wish.skill]
    match wish.scope:
        case "mine":
            parts, values = [*parts, "claimant = ? AND lease_until_ms > ?"], [*values, person.id, now_ms]
        case "open":
            parts, values = [*parts, "(state = 'open' OR claimant = ? OR lease_until_ms <= ?)"], [*values, person.id, now_ms]
    return " AND ".join(parts), values


def _enter(connection: Connection, task: Task, decision: Decision) -> Refused | None:
    """Enter a decider among the actors of a case. The primary key says no to whoever is there already, whatever the caller believed."""
    row = (task.case_id, decision.person, f"decided {task.stage}", task.id, decision.at_ms, task.judges)
    again = "NOTHING" if task.judges else "UPDATE SET task_id = excluded.task_id WHERE NOT judged"
    entered = connection.execute(f"INSERT INTO actors VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO {again}", row)
    if not entered.rowcount:
        return _acted(decision.name, actors(connection, task.case_id)[decision.person])
    return None


def _acted(name: str, did: str) -> Refused:
    said = f"{name} has acted on this case already: {did}"
    return Refused(why=Why.FORBIDDEN, code="four_eyes", said=said, remedy="somebody else must decide it")


def _tasks(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Task]:
    return [_task(row, actors(connection, row[1], judged=not row[JUDGES])) for row in rows]


def _task(row: Sequence[Any], acted: Mapping[str, str]) -> Task:
    plain = dict(zip(PLAIN, row, strict=False))
    plain |= {"state": State(plain["state"]), "judges": bool(plain["judges"]), "choices": tuple(map(Outcome, plain["choices"].split()))}
    return Task(**plain, acted=acted, decision=_decision(row[len(PLAIN)]))


def _decision(text: str | None) -> Decision | None:
    if text is None:
        return None
    found = json.loads(text)
    return Decision(**{**found, "outcome": Outcome(found["outcome"])})
