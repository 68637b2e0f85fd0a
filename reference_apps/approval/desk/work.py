"""The desk: each verb of a person is one transaction over task, case and history, so that a crash leaves all of it or nothing."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from sqlite3 import Connection
from typing import Any, Protocol

from reference_apps.approval.desk import accounts, papers, refusals, store, tasks
from reference_apps.approval.desk.papers import Attachment, Note
from reference_apps.approval.desk.people import Reviewer
from reference_apps.approval.desk.refusals import NotDone
from reference_apps.approval.desk.store import Line, Wish
from reference_apps.approval.desk.tasks import Refused, Ruling, Task

MOST_AT_ONCE = 200

Verb = Callable[[Task, Reviewer, int], Task | Refused]


class File(Protocol):
    """The file with the cases: one transaction at a time to write, snapshots to read."""

    def write(self) -> AbstractContextManager[Connection]: ...

    def read(self) -> AbstractContextManager[Connection]: ...


class Cases(Protocol):
    """What the desk needs of the cases: a decision moves its case on, inside the desk's transaction."""

    def decided(self, connection: Connection, task: Task, now_ms: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A page of tasks, how many there are in all, and how many of them are overdue. `after`: the task to go on from, None at the end."""

    items: tuple[Task, ...]
    total: int
    overdue: int
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Everything that people have to do with a case: the task looked at, all of its tasks, what was done and written, everybody's names, who may take it."""

    task: Task
    siblings: tuple[Task, ...]
    lines: tuple[Line, ...]
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    names: Mapping[str, str]
    candidates: tuple[Reviewer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """A task that is decided. Not `applied`: it was decided before, and this call changed nothing."""

    task: Task
    applied: bool


class Desk:
    """Used from any thread; `clock_ms` says what time it is."""

    def __init__(self, file: File, cases: Cases, clock_ms: Callable[[], int]) -> None:
        self._file, self._cases, self._clock_ms = file, cases, clock_ms

    def queue(self, person: Reviewer, wish: Wish) -> Queue:
        """Return the tasks that somebody may take, most urgent first."""
        now = self._clock_ms()
        with self._file.read() as connection:
            found = store.queue(connection, person, wish, now)
            total, overdue = store.count(connection, person, wish, now)
        after = found[-1].id if len(found) == wish.limit else None
        return Queue(items=tuple(tasks.settled(task, now) for task in found), total=total, overdue=overdue, after=after)

    def folder(self, task_id: str) -> Folder:
        """Return everything about a task. Raises Problem (404)."""
        with self._file.read() as connection:
            task = tasks.settled(_found(connection, task_id), self._clock_ms())
            people = accounts.everybody(connection)
            return Folder(
                task=task,
                siblings=tuple(store.of_case(connection, task.case_id)),
                lines=tuple(store.history(connection, task.case_id)),
                notes=tuple(papers.notes(connection, task.case_id)),
                attachments=tuple(papers.attachments(connection, task.case_id)),
                names={person.id: person.name for person in people},
                candidates=tuple(person for person in people if tasks.barred(task, person) is None),
            )

    def claim(self, person: Reviewer, task_id: str) -> Task:
        """Take a task. Raises Problem."""
        return self._do("claimed", person, task_id, tasks.claim)

    def release(self, person: Reviewer, task_id: str) -> Task:
        """Give a task back. Raises Problem."""
        return self._do("released", person, task_id, tasks.release)

    def delegate(self, person: Reviewer, task_id: str, to_id: str) -> Task:
        """Hand a task to somebody. Raises Problem."""
        with self._file.read() as connection:
            to = accounts.find(connection, to_id)
        if to is None:
            raise refusals.no_reviewer(to_id)
        return self._do("delegated", person, task_id, lambda task, by, now: tasks.delegate(task, by, to, now), to=to_id)

    def decide(self, person: Reviewer, task_id: str, ruling: Ruling) -> Ruled:
        """Decide a task and move its case on, in one commit. Raises Problem; NotDone carries what was decided when somebody else was first."""
        with self._file.write() as connection:
            now, before, person = self._clock_ms(), _found(connection, task_id), _as_now(connection, person)
            after = tasks.decide(before, person, ruling, now)
            if isinstance(after, Refused):
                raise NotDone(after)
            if after is before:
                return _stored(before, person, ruling)
            line = Line(task_id=task_id, at_ms=now, kind="decided", person=person.id, body=_said(ruling))
            if refused := store.write(connection, before, after, line):
                raise NotDone(refused)
            self._cases.decided(connection, after, now)
        return Ruled(task=after, applied=True)

    def note(self, person: Reviewer, task_id: str, text: str) -> None:
        """Write a note on a task's case. Raises Problem (404)."""
        with self._file.write() as connection:
            task = _found(connection, task_id)
            papers.write_note(connection, task.case_id, Note(at_ms=self._clock_ms(), person=person.id, text=text))

    def attach(self, task_id: str, paper: Attachment) -> None:
        """Attach a paper to a task's case. Raises Problem (404)."""
        with self._file.write() as connection:
            papers.attach(connection, _found(connection, task_id).case_id, paper)

    def sweep(self) -> int:
        """Reopen what was claimed and left, raise what is overdue; return how many tasks were touched. Decides nothing."""
        now = self._clock_ms()
        with self._file.read() as connection:
            is_quiet = not store.due(connection, now, 1)
        if is_quiet:
            return 0
        with self._file.write() as connection:
            found = store.due(connection, now, MOST_AT_ONCE)
            for task in found:
                _timed(connection, task, now)
        return len(found)

    def by_token(self, token: str) -> Reviewer | None:
        with self._file.read() as connection:
            return accounts.by_token(connection, token)

    def by_session(self, session: str) -> Reviewer | None:
        with self._file.read() as connection:
            return accounts.by_session(connection, session, self._clock_ms())

    def sign_in(self, token: str) -> str | None:
        """Begin a session for whoever has this token; None when nobody has."""
        with self._file.write() as connection:
            person = accounts.by_token(connection, token)
            return accounts.sign_in(connection, person, self._clock_ms()) if person else None

    def sign_out(self, session: str) -> None:
        with self._file.write() as connection:
            accounts.sign_out(connection, session)

    def now_ms(self) -> int:
        return self._clock_ms()

    def _do(self, kind: str, person: Reviewer, task_id: str, verb: Verb, **body: Any) -> Task:
        with self._file.write() as connection:
            now, before = self._clock_ms(), _found(connection, task_id)
            after = verb(before, _as_now(connection, person), now)
            if isinstance(after, Refused):
                raise NotDone(after)
            if after != before:
                named = "renewed" if after.version == before.version else kind
                store.write(connection, before, after, Line(task_id=task_id, at_ms=now, kind=named, person=person.id, body=body))
        return after


def _found(connection: Connection, task_id: str) -> Task:
    task = store.find(connection, task_id)
    if task is None:
        raise refusals.no_task(task_id)
    return task


def _as_now(connection: Connection, person: Reviewer) -> Reviewer:
    """Return somebody as they stand in this transaction: access may have been taken away since they knocked."""
    return accounts.find(connection, person.id) or replace(person, active=False)


def _stored(task: Task, person: Reviewer, ruling: Ruling) -> Ruled:
    """Answer a decision on a decided task: the same one by the same person is a double click, any other came too late."""
    made = task.decision
    if made is not None and made.person == person.id and (made.outcome, made.code, made.text) == (ruling.outcome, ruling.code, ruling.text.strip()):
        return Ruled(task=task, applied=False)
    late = tasks.late(task)
    raise NotDone(late, decision=asdict(made) if made else None)


def _said(ruling: Ruling) -> dict[str, str]:
    said = {"outcome": str(ruling.outcome), "code": ruling.code, "text": ruling.text.strip()}
    return {name: value for name, value in said.items() if value}


def _timed(connection: Connection, task: Task, now_ms: int) -> None:
    """Let time do what it has to do to a task: one line of history for each thing."""
    reopened = tasks.settled(task, now_ms)
    if reopened != task:
        body = {"from": task.claimant}
        store.write(connection, task, reopened, Line(task_id=task.id, at_ms=now_ms, kind="lease_expired", body=body))
    raised = tasks.escalate(reopened, now_ms)
    if raised != reopened:
        body_raised = {"level": raised.level, "due_ms": raised.due_ms}
        store.write(connection, reopened, raised, Line(task_id=task.id, at_ms=now_ms, kind="escalated", body=body_raised))
