"""The doors to the outside, on one page. Each is a Protocol; every implementation passes the same suite in tests/contract.

Common rules: verbs are idempotent, every call has a timeout inside, nothing retries or sleeps (the tick is the retry), every third-party error
leaves as BackendError (or the class the docstring names), and a method returns before readiness.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ctl.model.access import Token
from ctl.model.event import Event, Note
from ctl.model.finding import Concerns
from ctl.model.fleet import Group, Reading, RegistryEntry, Routes
from ctl.model.release import Artifact, Release
from ctl.model.rollout import Rollout
from ctl.model.service import ArtifactSource, CatalogSnapshot
from ctl.model.view import (
    ArtifactView,
    CheckView,
    EventView,
    InstanceView,
    LogLine,
    PlanView,
    RolloutView,
    ServiceRow,
    ServiceView,
    StatusView,
    TokenView,
)


class Runtime(Protocol):
    """Where instances run. It restarts a crashed instance by itself, with back-off, in its slot; it never changes a group's size by itself."""

    def observe(self) -> Mapping[str, tuple[Group, ...]]:
        """Return every group by service, from one look. Cheap: it reads what is known, it does not probe."""
        ...

    def ensure(self, release: Release, count: int) -> None:
        """Have at least `count` instances of `release` that are not draining; start the missing ones and return before they are ready.

        More than `count` are left alone: shrinking is drain(). Raises BackendError, DigestMismatch.
        """
        ...

    def drain(self, ids: Sequence[str], deadline: datetime) -> None:
        """Tell these instances to finish and go; kill what is left at `deadline`. Unknown and already draining ids are left as they are."""
        ...

    def remove(self, service: str, release: str) -> None:
        """Forget the group; instances it still has are killed at once. No group: nothing happens."""
        ...

    def logs(self, instance: str, last: int) -> Sequence[str]:
        """Return the last `last` lines of an instance's output, oldest first; also of a recently gone one. Raises NotFound."""
        ...


class Traffic(Protocol):
    """The gateway: sends each request for a service to one of its routed instances."""

    def routes(self) -> Mapping[str, Routes]:
        """Return the routes in force at the gateway itself, which may lag behind the last set_routes; weights and instances only as really applied."""
        ...

    def set_routes(self, routes: Routes) -> None:
        """Ask for these routes; an instance that is left out gets no new request once routes() no longer lists it. Equal routes: nothing happens."""
        ...

    def address(self) -> str:
        """Return the gateway's base URL for callers, "http://host:port"; a service is reached at <base>/<service>/..."""
        ...


class Registry(Protocol):
    """Where services find one another's instances."""

    def instances(self) -> Mapping[str, tuple[RegistryEntry, ...]]:
        """Return every registered instance by service."""
        ...

    def register(self, entries: Sequence[RegistryEntry]) -> None:
        """Add or replace these, by id."""
        ...

    def deregister(self, ids: Sequence[str]) -> None:
        """Take these away; unknown ids are nothing to do."""
        ...


class Metrics(Protocol):
    """What the instances say about their traffic."""

    def read(self, services: Iterable[str], window_s: float, now: datetime) -> Mapping[str, tuple[Reading, ...]]:
        """Return one reading per instance of each service over (now - window_s, now]; an instance without data has none. Missing is a value."""
        ...


class Catalog(Protocol):
    """The services that should exist."""

    def snapshot(self) -> CatalogSnapshot:
        """Return every service, with its environment's policy resolved. Raises BadInput naming every mistake, each with file, line and remedy."""
        ...


class Artifacts(Protocol):
    """Immutable bundles of code, by content."""

    def put(self, source: ArtifactSource, root: Path, service: str, version: str) -> Artifact:
        """Pack `source` (paths relative to `root`) as (service, version) and return it.

        The same content again returns the same artifact; other content under a version that exists raises Refused.
        """
        ...

    def resolve(self, service: str, version: str) -> Artifact:
        """Return the artifact built as that version. Raises NotFound."""
        ...

    def versions(self, service: str) -> Sequence[Artifact]:
        """Return what has been built of a service, newest first."""
        ...

    def fetch(self, digest: str, to: Path) -> None:
        """Unpack the verified artifact at `to` (made, atomically; there already: nothing to do). Raises NotFound, DigestMismatch."""
        ...

    def verify(self, digest: str) -> None:
        """Check every byte against the digest. Raises NotFound, DigestMismatch."""
        ...


class Releases(Protocol):
    """The releases that have ever been made."""

    def put(self, release: Release) -> None:
        """Keep a release; the same id again is nothing to do (a release is named by its content)."""
        ...

    def get(self, service: str, release: str) -> Release:
        """Return one. Raises NotFound."""
        ...

    def find(self, service: str) -> Sequence[Release]:
        """Return all of a service, newest first."""
        ...


class Rollouts(Protocol):
    """The rollouts, past and present."""

    def active(self) -> Sequence[Rollout]:
        """Return every rollout that is not terminal, by service and revision."""
        ...

    def load(self, rollout: str) -> Rollout:
        """Return one. Raises NotFound."""
        ...

    def history(self, service: str, limit: int) -> Sequence[Rollout]:
        """Return the service's rollouts, newest revision first."""
        ...

    def stable(self) -> Mapping[str, str]:
        """Return, by service, the release of its last CERTIFIED rollout."""
        ...

    def save(self, rollout: Rollout, fence: int, notes: Sequence[Note] = ()) -> Rollout:
        """Store a new state and return it with `version` grown by one; a rollout with version 0 is new. `notes` are journalled in the same write.

        Raises StaleRevision when the stored version is not `rollout.version`, when a higher fence has been seen for the service, when the stored
        phase is terminal, or when a new rollout's revision exists.
        """
        ...


class Findings(Protocol):
    """What stands about each service's releases, as its instances have found it themselves."""

    def all(self) -> Mapping[str, Concerns]:
        """Return it by service; a service about which nothing has ever stood has no entry."""
        ...

    def save(self, concerns: Concerns, fence: int, notes: Sequence[Note] = ()) -> Concerns:
        """Store what stands now and return it with `version` grown by one. `notes` are journalled in the same write.

        Raises StaleRevision when the stored version is not `concerns.version`, or when a higher fence has been seen for the service.
        """
        ...


class Targets(Protocol):
    """How many instances of a service an operator (later: the autoscaler) wants; no entry means the catalog's number."""

    def all(self) -> Mapping[str, int]: ...

    def put(self, service: str, count: int | None) -> None:
        """Set the target; None gives the number back to the catalog."""
        ...


class Journal(Protocol):
    """The record: append-only, hash-chained."""

    def append(self, notes: Sequence[Note]) -> Sequence[Event]:
        """Make these durable, in order, and return them as events. All or none."""
        ...

    def read(self, after: int, limit: int, service: str = "", kind: str = "") -> Sequence[Event]:
        """Return events with seq > `after`, oldest first; `service` and `kind` (prefix) filter."""
        ...

    def last(self, limit: int, service: str = "") -> Sequence[Event]:
        """Return the newest events, oldest first."""
        ...

    def verify(self) -> int:
        """Check the whole chain and return its length. Raises Refused naming the first broken link."""
        ...

    def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is an event with seq > `after`, whoever wrote it; False when `timeout_s` passed without one."""
        ...


class Leases(Protocol):
    """Who may act. A fence grows with every new holder of a name."""

    def acquire(self, name: str, holder: str, ttl_s: float, now: datetime) -> int | None:
        """Take or renew a lease and return its fence; None when somebody else holds it. Renewing by the same holder keeps the fence."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give it back; not ours: nothing happens."""
        ...

    def holder(self, name: str, now: datetime) -> str | None:
        """Return who holds it now."""
        ...


class Tokens(Protocol):
    """Access tokens, as hashes."""

    def all(self) -> Sequence[Token]: ...

    def put(self, token: Token) -> None:
        """Keep a token, by name. Raises Refused when the name exists."""
        ...

    def remove(self, name: str) -> None:
        """Take it away. Raises NotFound."""
        ...

    def find(self, hash: str) -> Token | None: ...


class Answers(Protocol):
    """Answers already given, so that a repeated write with the same Idempotency-Key has one effect."""

    def find(self, key: str) -> tuple[str, str] | None:
        """Return (hash of the request, JSON answer) stored under the key."""
        ...

    def put(self, key: str, request: str, answer: str, now: datetime) -> None:
        """Keep an answer; the first one under a key stays."""
        ...


class Wakeable(Protocol):
    """A backend that can say that something changed, so that the loop looks before its time."""

    def on_change(self, wake: "Wake") -> None:
        """Call `wake(service)` from any thread whenever something about the service changed."""
        ...


class Wake(Protocol):
    def __call__(self, service: str) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the aware UTC time; never before what it returned last."""
        ...


class Plane(Protocol):
    """The front door: what CLI and API call. ControlPlane does it here; RemotePlane asks the daemon. Every method raises CtlError classes only.

    A change names its `reason` (journalled; may be empty). Changes return at once; progress is read with rollout() or events().
    """

    def services(self, *, domain: str = "", match: str = "") -> list[ServiceRow]: ...

    def service(self, name: str) -> ServiceView: ...

    def status(self) -> StatusView: ...

    def instances(self, service: str) -> list[InstanceView]: ...

    def logs(self, service: str, *, instance: str = "", release: str = "", level: str = "", last: int = 100) -> list[LogLine]: ...

    def build(self, service: str, version: str, *, source: str = "", reason: str = "") -> ArtifactView:
        """Pack the service's artifact from `source` (a folder; empty: the project root)."""
        ...

    def artifacts(self, service: str) -> list[ArtifactView]: ...

    def plan(self, service: str, version: str, *, strategy: str = "") -> PlanView: ...

    def deploy(self, service: str, version: str, *, reason: str = "", strategy: str = "", approve: str = "") -> RolloutView:
        """Start a rollout. `approve`: refuse unless the plan still has this checksum (a prefix of 8 or more characters is enough)."""
        ...

    def rollback(self, service: str, *, to: str = "", reason: str = "") -> RolloutView:
        """Abort the active rollout; without one, roll out the last certified release other than the current (or version or release `to`)."""
        ...

    def pause(self, service: str, *, reason: str = "") -> RolloutView: ...

    def resume(self, service: str, *, reason: str = "") -> RolloutView: ...

    def promote(self, service: str, *, full: bool = False, reason: str = "") -> RolloutView: ...

    def abort(self, service: str, *, reason: str = "") -> RolloutView: ...

    def rollout(self, rollout: str) -> RolloutView: ...

    def rollouts(self, *, service: str = "", limit: int = 20) -> list[RolloutView]:
        """Return rollouts, newest first; without a service the active ones."""
        ...

    def scale(self, service: str, count: int | None, *, reason: str = "") -> ServiceRow:
        """Set the target; None gives the number back to the catalog."""
        ...

    def journal(self, *, after: int = 0, limit: int = 100, service: str = "", kind: str = "", newest: bool = False) -> list[EventView]: ...

    def verify_journal(self) -> dict[str, Any]: ...

    def catalog(self) -> dict[str, Any]:
        """Return {"revision", "environment", "services": {name: spec}}."""
        ...

    def graph(self, service: str = "") -> dict[str, Any]:
        """Return {"services": [...], "edges": [[from, to], ...], "levels": {name: n}}; with a service only what it stands on."""
        ...

    def impact(self, service: str) -> dict[str, Any]:
        """Return {"service", "direct": [...], "all": [...], "fronts": [...]}: who suffers when it is down."""
        ...

    def tokens(self) -> list[TokenView]: ...

    def create_token(self, name: str, role: str, *, ttl_s: float | None = None) -> TokenView: ...

    def remove_token(self, name: str) -> None: ...

    def doctor(self) -> list[CheckView]: ...

    def shutdown(self, *, instances: bool = True) -> None:
        """Stop the daemon; with `instances` also every instance and the gateway."""
        ...
