"""The store in memory: for tests, for simulations, and for plans. The same rules, nothing durable."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ctl.backends.store import admission, chain
from ctl.errors import NotFound, Refused
from ctl.model.access import Token
from ctl.model.event import Event, Note
from ctl.model.finding import Concerns
from ctl.model.release import Release
from ctl.model.rollout import Phase, Rollout

KEPT = timedelta(hours=24)


class MemoryReleases:
    """Releases by service and id."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[str, Release]] = {}

    def put(self, release: Release) -> None:
        self._releases.setdefault(release.service, {}).setdefault(release.id, release)

    def get(self, service: str, release: str) -> Release:
        found = self._releases.get(service, {}).get(release)
        if found is None:
            raise NotFound(f"{service} has no release {release!r}", remedy=f"see `msxfctl history {service}`")
        return found

    def find(self, service: str) -> Sequence[Release]:
        latest_put_first = tuple(self._releases.get(service, {}).values())[::-1]
        return tuple(sorted(latest_put_first, key=lambda release: release.built_at, reverse=True))


class MemoryRollouts:
    """Rollouts by id, with indexes of the active ones and of the last certified release; what is noted with a state goes to `journal`."""

    def __init__(self, journal: "MemoryJournal") -> None:
        self._journal = journal
        self._turn = threading.Lock()
        self._rollouts: dict[str, Rollout] = {}
        self._by_service: dict[str, dict[int, str]] = {}
        self._places: dict[tuple[str, str], str] = {}
        self._fences: dict[str, int] = {}
        self._certified: dict[str, tuple[int, str]] = {}

    def active(self) -> Sequence[Rollout]:
        with self._turn:
            found = [self._rollouts[each] for each in self._places.values()]
        return tuple(sorted(found, key=lambda rollout: (rollout.service, rollout.revision)))

    def load(self, rollout: str) -> Rollout:
        found = self._rollouts.get(rollout)
        if found is None:
            raise NotFound(f"there is no rollout {rollout!r}", remedy="see `msxfctl history SERVICE`")
        return found

    def history(self, service: str, limit: int) -> Sequence[Rollout]:
        with self._turn:
            newest = sorted(self._by_service.get(service, {}).items(), reverse=True)[:limit]
            return tuple(self._rollouts[each] for _, each in newest)

    def stable(self) -> Mapping[str, str]:
        with self._turn:
            return {service: release for service, (_, release) in self._certified.items()}

    def save(self, rollout: Rollout, fence: int, notes: Sequence[Note] = ()) -> Rollout:
        with self._turn:
            stored, highest = self._rollouts.get(rollout.id), self._fences.get(rollout.service, 0)
            standing = None if stored is None else admission.Standing(service=stored.service, version=stored.version, phase=stored.phase)
            admission.check(rollout, standing, fence=fence, highest=highest)
            if stored is None:
                admission.check_new(rollout, self._by_service.get(rollout.service, ()))
            admission.check_place(rollout, self._places.get((rollout.service, admission.place(rollout))))
            saved = admission.grown(rollout)
            self._journal.append(notes)
            self._keep(saved, stored)
            self._fences[rollout.service] = fence
        return saved

    def highest_fence(self, service: str) -> int:
        """Return the highest fence that a rollout of the service was saved under."""
        return self._fences.get(service, 0)

    def _keep(self, saved: Rollout, stored: Rollout | None) -> None:
        self._rollouts[saved.id] = saved
        self._by_service.setdefault(saved.service, {})[saved.revision] = saved.id
        if stored is not None:
            self._places.pop((stored.service, admission.place(stored)), None)
        if admission.place(saved):
            self._places[saved.service, admission.place(saved)] = saved.id
        if saved.phase is Phase.CERTIFIED:
            last = self._certified.get(saved.service, (0, ""))
            self._certified[saved.service] = max(last, (saved.revision, saved.to_release))


class MemoryFindings:
    """Findings by service, under the fences of `rollouts`; what is noted with them goes to `journal`."""

    def __init__(self, journal: "MemoryJournal", rollouts: MemoryRollouts) -> None:
        self._journal, self._rollouts = journal, rollouts
        self._turn = threading.Lock()
        self._concerns: dict[str, Concerns] = {}

    def all(self) -> Mapping[str, Concerns]:
        return dict(self._concerns)

    def save(self, concerns: Concerns, fence: int, notes: Sequence[Note] = ()) -> Concerns:
        with self._turn:
            stored, highest = self._concerns.get(concerns.service), self._rollouts.highest_fence(concerns.service)
            admission.check_concerns(concerns, stored.version if stored else 0, fence=fence, highest=highest)
            saved = self._concerns[concerns.service] = replace(concerns, version=concerns.version + 1)
            self._journal.append(notes)
        return saved


class MemoryTargets:
    """Wanted sizes by service."""

    def __init__(self) -> None:
        self._targets: dict[str, int] = {}

    def all(self) -> Mapping[str, int]:
        return dict(self._targets)

    def put(self, service: str, count: int | None) -> None:
        if count is None:
            self._targets.pop(service, None)
        else:
            self._targets[service] = count


class MemoryJournal:
    """The record, chained like the durable one."""

    def __init__(self) -> None:
        self._grown = threading.Condition()
        self._links: list[chain.Link] = []

    def append(self, notes: Sequence[Note]) -> Sequence[Event]:
        with self._grown:
            links: list[chain.Link] = []
            for note in notes:
                before = links or self._links
                links.append(chain.link(note, len(self._links) + len(links) + 1, before[-1].hash if before else chain.GENESIS))
            self._links.extend(links)
            self._grown.notify_all()
        return tuple(chain.event(link) for link in links)

    def read(self, after: int, limit: int, service: str = "", kind: str = "") -> Sequence[Event]:
        asked = (link for link in self._links[max(after, 0) :] if service in ("", link.service) and link.kind.startswith(kind))
        return tuple(chain.event(link) for link, _ in zip(asked, range(limit), strict=False))

    def last(self, limit: int, service: str = "") -> Sequence[Event]:
        asked = (link for link in reversed(self._links) if service in ("", link.service))
        return tuple(chain.event(link) for link, _ in zip(asked, range(limit), strict=False))[::-1]

    def verify(self) -> int:
        previous = chain.GENESIS
        for seq, link in enumerate(tuple(self._links), 1):
            chain.check(link, seq, previous)
            previous = link.hash
        return len(self._links)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with seq > `after`; False when `timeout_s` passed without one."""
        with self._grown:
            return self._grown.wait_for(lambda: len(self._links) > after, timeout=timeout_s)


class MemoryLeases:
    """Leases by name: (holder, fence, until); holder "" once released."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._leases: dict[str, tuple[str, int, datetime]] = {}

    def acquire(self, name: str, holder: str, ttl_s: float, now: datetime) -> int | None:
        with self._turn:
            held, fence, until = self._leases.get(name, ("", 0, now))
            is_held = bool(held) and now < until
            if is_held and held != holder:
                return None
            fence += 0 if is_held else 1
            self._leases[name] = (holder, fence, now + timedelta(seconds=ttl_s))
        return fence

    def release(self, name: str, holder: str) -> None:
        with self._turn:
            held, fence, until = self._leases.get(name, ("", 0, None))
            if held and held == holder and until is not None:
                self._leases[name] = ("", fence, until)

    def holder(self, name: str, now: datetime) -> str | None:
        held, _, until = self._leases.get(name, ("", 0, now))
        return held if held and now < until else None


class MemoryTokens:
    """Access tokens by name."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def all(self) -> Sequence[Token]:
        return tuple(sorted(self._tokens.values(), key=lambda token: token.name))

    def put(self, token: Token) -> None:
        if token.name in self._tokens or self.find(token.hash):
            raise Refused(f"a token named {token.name!r} exists", remedy=f"choose another name, or `msxfctl token remove {token.name}`")
        self._tokens[token.name] = token

    def remove(self, name: str) -> None:
        if self._tokens.pop(name, None) is None:
            raise NotFound(f"there is no token named {name!r}", remedy="see `msxfctl token list`")

    def find(self, hash: str) -> Token | None:
        return next((token for token in self._tokens.values() if token.hash == hash), None)


class MemoryAnswers:
    """Answers already given, kept for 24 hours."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[str, str, datetime]] = {}

    def find(self, key: str) -> tuple[str, str] | None:
        found = self._answers.get(key)
        return found and found[:2]

    def put(self, key: str, request: str, answer: str, now: datetime) -> None:
        self._answers = {each: kept for each, kept in self._answers.items() if kept[2] >= now - KEPT}
        self._answers.setdefault(key, (request, answer, now))
