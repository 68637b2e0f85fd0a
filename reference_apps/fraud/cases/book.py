"""The cases: alerts of one ring of accounts together, what people did about them, and what came of it. A pure function of what is notable in the log, in order.

A review or a block makes an alert; a step-up is answered by the customer and makes none. An alert belongs to exactly one case, the open one of its account's
ring; a ring without an open case gets one, named by the alert's position. Accounts are of one ring when the graph links them, or when their alerts name the
same phone. When two rings become one, the younger open case goes into the older one. A decided case stays as it is.
"""

from collections.abc import Iterable

import msgspec

from reference_apps.fraud.cases.model import Alert, Case, Shadow, State, Told
from reference_apps.fraud.features import graph
from reference_apps.fraud.features.graph import Hub, Rings
from reference_apps.fraud.keeping.record import Record
from reference_apps.fraud.model import Event, Family, Listing, ListKind, Verdict
from reference_apps.fraud.models.all import MEDIANS
from reference_apps.fraud.notes import Claim, Decision, Note, Outcome, Release, Switch, Trial

BLOCKED_MS = 365 * 86_400_000
"""How long the accounts of a confirmed fraud stay on the block list."""
LABELS = {Outcome.CONFIRMED: True, Outcome.FALSE_ALARM: False}


class Kept(msgspec.Struct):
    """All of the book, as a snapshot keeps it. `position`: up to where the log was read. `owed`: entries of the block list that must still be logged."""

    position: int = 0
    links: list[tuple[str, str]] = []
    phones: dict[str, Hub] = {}
    alerts: dict[int, Alert] = {}
    cases: dict[int, Case] = {}
    told: dict[str, Told] = {}
    owed: dict[str, Listing] = {}
    trials: list[Trial] = []
    switches: list[tuple[int, Switch]] = []
    shadows: dict[str, Shadow] = {}


class Book:
    """The cases at `kept.position`."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept or Kept()
        self._rings = Rings()
        for one, other in self.kept.links:
            self._rings.join(one, other)
        self._open: dict[str, int] = {}
        for case in self.kept.cases.values():
            if case.state is State.OPEN:
                self._open[self._rings.root(self.kept.alerts[case.alerts[0]].account)] = case.id

    def event(self, position: int, event: Event, judged: Record) -> None:
        """Take in an event with its judgement: its links first, then its alert."""
        for anchor in judged.ties.linked:
            self._join(anchor, event.account)
        for code, _, _ in judged.shadow:
            self._shadow(position, code).count(judged.verdict)
        if judged.verdict >= Verdict.REVIEW:
            self._alert(_alert(position, event, judged))
        self.kept.position = position

    def listing(self, position: int, entry: Listing) -> None:
        """Take in an entry of a list: what was owed is paid."""
        if entry.kind is ListKind.BLOCK and entry.family is Family.ACCOUNT:
            self.kept.owed.pop(entry.value, None)
        self.kept.position = position

    def note(self, position: int, note: Note) -> None:
        """Take in what a person did, and remember what came of it."""
        told = Told.DONE
        match note:
            case Claim():
                told = self._claim(note)
            case Release():
                told = self._release(note)
            case Decision():
                told = self._decide(note)
            case Trial():
                self.kept.trials.append(note)
            case Switch():
                self.kept.switches.append((position, note))
                self.kept.shadows[note.rule] = Shadow(since=position)
        self.kept.told[note.id] = told
        self.kept.position = position

    def go_to(self, position: int) -> None:
        """Go past what is not notable."""
        self.kept.position = max(self.kept.position, position)

    def find(self, number: int) -> Case | None:
        """Return the case of this number, or the one it went into, or the one that has the alert of this position."""
        case = self.kept.cases.get(number)
        if case is None and number in self.kept.alerts:
            case = self.kept.cases.get(self.kept.alerts[number].case)
        while case is not None and case.into:
            case = self.kept.cases[case.into]
        return case

    def alerts(self, case: Case) -> list[Alert]:
        return [self.kept.alerts[position] for position in case.alerts]

    def labels(self) -> dict[str, bool]:
        """Return what is known of events by the feedback on their cases: fraud or not."""
        decided = ((case, LABELS[case.outcome]) for case in self.kept.cases.values() if case.outcome is not None and case.outcome in LABELS)
        return {alert.event_id: is_fraud for case, is_fraud in decided for alert in self.alerts(case)}

    def _alert(self, alert: Alert) -> None:
        anchor = graph.link(self.kept.phones.setdefault(alert.phone, {}), alert.account, alert.at_ms) if alert.phone else None
        if anchor is not None:
            self._join(anchor, alert.account)
        root = self._rings.root(alert.account)
        number = self._open.get(root)
        if number is None:
            number = self._open[root] = alert.position
            self.kept.cases[number] = Case(id=number, version=0)
        case = self.kept.cases[number]
        case.alerts.append(alert.position)
        case.version += 1
        alert.case = number
        self.kept.alerts[alert.position] = alert

    def _join(self, one: str, other: str) -> None:
        first, second = self._rings.root(one), self._rings.root(other)
        if first == second:
            return
        self._rings.join(one, other)
        self.kept.links.append((one, other))
        found = [self.kept.cases[number] for number in sorted(self._open.pop(root) for root in (first, second) if root in self._open)]
        if found:
            self._open[self._rings.root(one)] = found[0].id
        if len(found) > 1:
            self._merge(*found)

    def _merge(self, older: Case, younger: Case) -> None:
        """Put the younger case into the older one; who holds either of them longest holds both."""
        older.alerts = sorted([*older.alerts, *younger.alerts])
        for position in younger.alerts:
            self.kept.alerts[position].case = older.id
        if older.until_ms < younger.until_ms:
            older.holder, older.until_ms = younger.holder, younger.until_ms
        older.version = max(older.version, younger.version) + 1
        younger.state, younger.into, younger.alerts = State.MERGED, older.id, []
        younger.holder, younger.until_ms = "", 0

    def _claim(self, note: Claim) -> Told:
        case = self.find(note.case)
        if case is None:
            return Told.UNKNOWN
        if case.state is not State.OPEN:
            return Told.DECIDED
        if case.is_held(note.at_ms) and case.holder != note.by and not note.over:
            return Told.HELD
        case.holder, case.until_ms = note.by, note.until_ms
        return Told.DONE

    def _release(self, note: Release) -> Told:
        case = self.find(note.case)
        if case is None:
            return Told.UNKNOWN
        if case.state is not State.OPEN:
            return Told.DECIDED
        if not case.is_held(note.at_ms):
            return Told.UNCHANGED
        if case.holder != note.by and not note.over:
            return Told.HELD
        case.holder, case.until_ms = "", 0
        return Told.DONE

    def _decide(self, note: Decision) -> Told:
        case = self.find(note.case)
        if case is None:
            return Told.UNKNOWN
        if case.state is State.DECIDED:
            is_again = (case.holder, case.outcome, case.text, case.version) == (note.by, note.outcome, note.text, note.version + 1)
            return Told.UNCHANGED if is_again else Told.DECIDED
        if not case.is_held(note.at_ms) or case.holder != note.by:
            return Told.HELD if case.is_held(note.at_ms) else Told.UNCLAIMED
        if case.version != note.version:
            return Told.STALE
        self._close(case, note)
        return Told.DONE

    def _close(self, case: Case, note: Decision) -> None:
        case.state, case.outcome, case.text, case.decided_ms = State.DECIDED, note.outcome, note.text, note.at_ms
        case.version += 1
        accounts = dict.fromkeys(alert.account for alert in self.alerts(case))
        self._open.pop(self._rings.root(next(iter(accounts))), None)
        if note.outcome is Outcome.CONFIRMED:
            self.kept.owed |= {entry.value: entry for entry in _blocked(case, note, accounts)}

    def _shadow(self, position: int, code: str) -> Shadow:
        found = self.kept.shadows.get(code)
        if found is None:
            found = self.kept.shadows[code] = Shadow(since=position)
        return found


def _alert(position: int, event: Event, judged: Record) -> Alert:
    spoke = [number for number, (found, median) in enumerate(zip(judged.probabilities, MEDIANS, strict=True)) if found is not None and found > median]
    keys = {family.value: list(dict.fromkeys(event.keys(family))) for family in Family}
    return Alert(
        position=position,
        event_id=event.id,
        kind=event.kind,
        at_ms=event.at_ms,
        account=event.account,
        phone=event.phone,
        keys={name: found for name, found in keys.items() if found},
        amount_fen=event.amount_fen,
        verdict=judged.verdict,
        reasons=list(judged.reasons),
        models=spoke,
    )


def _blocked(case: Case, note: Decision, accounts: Iterable[str]) -> list[Listing]:
    """Return the entries that make a confirmed fraud known: the block list is what the graph takes as bad."""
    reason, until_ms = f"confirmed fraud in case-{case.id}, by {note.by}", note.at_ms + BLOCKED_MS
    return [
        Listing(kind=ListKind.BLOCK, family=Family.ACCOUNT, value=account, from_ms=note.at_ms, until_ms=until_ms, reason=reason) for account in accounts
    ]
