"""The desk of one instance: it gathers what is known, decides with the package in force, and answers when the decision is in the log.

The package in force is one object; a decision takes it once and uses it throughout, so a swap in the middle changes nothing for it.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctl.kit import metrics
from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.risk import bodies
from reference_apps.risk.bodies import DecisionBody
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.keeping import freezing
from reference_apps.risk.keeping.committing import GroupCommit
from reference_apps.risk.keeping.log import FILE, DecisionLog, Entry, LogReader
from reference_apps.risk.model import Cap, Decision, Outcome
from reference_apps.risk.packages.faults import BadPackage
from reference_apps.risk.packages.model import Ask, Package
from reference_apps.risk.packages.shelf import Shelf
from reference_apps.risk.policy import BadPolicy, Policy
from reference_apps.risk.variables.bureaus import Bureaus
from reference_apps.risk.variables.resolving import Misfit, Resolved, Said, resolve, wanted

BUCKETS = 10_000
MOST_SHADOWS = 10_000
LOOK_S = 1.0


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides, and what scores beside it in shadow: customers whose bucket under `salt` is below `buckets`. Replaced as a whole."""

    decider: Decider
    challenger: Decider | None = None
    salt: str = ""
    buckets: int = BUCKETS

    def is_challenged(self, customer: str) -> bool:
        return self.challenger is not None and bucket(self.salt, customer) < self.buckets


class Desk:
    """Decides, from the event loop only. `calls` to bureaus, the log and the clock are handed in."""

    def __init__(self, in_force: InForce, policy: Policy, data: Path, bureaus: Bureaus, now: Callable[[], datetime] = now) -> None:
        self.in_force, self.policy = in_force, policy
        self._bureaus, self._now = bureaus, now
        self._shelf, self._store = Shelf(data), DecisionLog(data)
        self._reader = LogReader(data / FILE)
        self._commit = GroupCommit(self._store.append)
        self._shadows: asyncio.Queue[tuple[Entry, Mapping[str, Any], Decider]] = asyncio.Queue(MOST_SHADOWS)
        self._tasks: list[asyncio.Task[None]] = []
        self._refused = ""
        self._log = logging.getLogger("risk")
        self._dropped = metrics.counter("risk_shadows_dropped_total", "Decisions that the challenger was too slow to score.")
        made = metrics.counter("risk_decisions_total", "Decisions by outcome.", ("outcome",))
        self._made = {str(each): made.labels(str(each)) for each in Outcome}
        self.keep()

    def keep(self) -> None:
        """Keep the packages in force, before anything is decided with them. Raises OSError."""
        for each in filter(None, (self.in_force.decider, self.in_force.challenger)):
            self._shelf.keep(each.package)

    async def start(self, *, follow: bool = False) -> None:
        """Begin to score in shadow, and to follow the published package if asked to."""
        self._tasks = [asyncio.create_task(self._score_shadows())]
        if follow:
            await self._follow_once()
            self._tasks.append(asyncio.create_task(self._follow()))

    async def stop(self) -> None:
        """Commit what waits and close the log."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._commit.close()
        self._store.close()

    async def decide(self, body: DecisionBody) -> Entry:
        """Return a decision once it is in the log. Raises Problem."""
        in_force = self.in_force
        decider = in_force.decider
        scene = bodies.scene_of(body, decider.package)
        bodies.check_named(body.variables, decider.package)
        asked = body.model_dump()
        try:
            frozen, made = await self._made_up(decider, body, bodies.declared(asked), lambda resolved: self._frozen(asked, resolved, scene))
        except Misfit as error:
            raise bodies.refusal(error.field, error.why, "GET /v1/package says what it may be") from error
        entry = freezing.entry(frozen, made, decider, self._at_ms())
        await self._logged(entry)
        self._made[entry.outcome].inc()
        if in_force.challenger is not None and in_force.is_challenged(body.customer_id):
            self._to_shadow(entry, frozen, in_force.challenger)
        return entry

    async def _made_up(
        self, decider: Decider, body: DecisionBody, declared: Mapping[str, Any], freeze: Callable[[Resolved], dict[str, Any]]
    ) -> tuple[dict[str, Any], Decision]:
        """Decide by what is asked first; where the flow then needs more that a bureau has, ask for that and decide anew."""
        said = await self._ask(wanted(decider.package, declared), body)
        frozen = freeze(resolve(decider.package, declared, said, self._now()))
        made = decider.decide(freezing.question(frozen, decider))
        needed = frozenset(name for name in made.missing_evidence if decider.package.variables[name].ask is Ask.IF_NEEDED)
        more = await self._ask(wanted(decider.package, declared, needed) - frozenset(said), body) if needed else {}
        if more:
            frozen = freeze(resolve(decider.package, declared, {**said, **more}, self._now()))
            made = decider.decide(freezing.question(frozen, decider))
        return frozen, made

    async def _ask(self, names: frozenset[str], body: DecisionBody) -> dict[str, Said]:
        configured = names & self._bureaus.configured
        return await self._bureaus.ask(configured, body.customer_id, self._now()) if configured else {}

    def _frozen(self, asked: Mapping[str, Any], resolved: Resolved, scene: str) -> dict[str, Any]:
        return freezing.freeze(asked, resolved, scene, self.policy.table, self._cap(asked["tenant"]))

    def _cap(self, tenant: str) -> Cap | None:
        try:
            return self.policy.cap(tenant)
        except BadPolicy as error:
            raise Problem(503, "policy_wrong", f"tenant {tenant}: {error}", remedy="correct the configuration; nothing was decided") from error

    async def _logged(self, entry: Entry) -> None:
        try:
            await self._commit.add(entry)
        except DatabaseFailed as error:
            raise Problem(503, "not_logged", f"the decision could not be logged: {error}", remedy="send it again; it was not decided") from error

    def find(self, named: str) -> tuple[Entry, list[dict[str, Any]]] | None:
        """Return a decision and what challengers said of it; None: there is none of that id."""
        entry = self._reader.find(named)
        if entry is None:
            return None
        said = [{"package": each.package, "outcome": each.outcome, "score": each.score, "probability": each.probability} for each in self._reader.of(named)]
        return entry, said

    def page(self, after: int, limit: int) -> list[Entry]:
        return self._reader.page(after, limit)

    def swap(self, package: Package) -> None:
        """Put a checked package in force for the decisions that begin from now on. Raises BadPolicy, OSError: then the old one stays."""
        self.policy.check(package)
        self._shelf.keep(package)
        self._enforce(Decider(package))

    def _enforce(self, decider: Decider) -> None:
        old = self.in_force
        self.in_force = InForce(decider, old.challenger, old.salt, old.buckets)
        self._log.info("package %s %s is in force", decider.package.name, decider.package.version, extra={"package": decider.package.hash})

    def _to_shadow(self, entry: Entry, frozen: Mapping[str, Any], challenger: Decider) -> None:
        try:
            self._shadows.put_nowait((entry, frozen, challenger))
        except asyncio.QueueFull:
            self._dropped.inc()

    async def _score_shadows(self) -> None:
        """Score one after the other, giving way to requests in between. Whatever a challenger does, decisions go on."""
        while True:
            entry, frozen, challenger = await self._shadows.get()
            await asyncio.sleep(0)
            try:
                if not freezing.why_not(frozen, challenger.package):
                    made = challenger.decide(freezing.question(frozen, challenger))
                    self._commit.add_later(freezing.shadow(entry, frozen, made, challenger, self._at_ms()))
            except Exception as error:  # a challenger has no effect, not even by failing
                self._log.error("the challenger failed on %s", entry.decision_id, exc_info=error)
            self._shadows.task_done()

    async def shadowed(self) -> None:
        """Wait until everything decided so far was scored in shadow."""
        await self._shadows.join()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._follow_once()

    async def _follow_once(self) -> None:
        """Take the published package if it is another one; a broken one is refused, and the old one stays."""
        wanted_hash = ""
        try:
            wanted_hash = self._shelf.pointed_at()
            if not wanted_hash or wanted_hash in (self.in_force.decider.package.hash, self._refused):
                return
            decider = await asyncio.to_thread(self._prepared, wanted_hash)
        except (BadPackage, BadPolicy, OSError) as error:
            self._refused = wanted_hash
            self._log.error("the published package is refused, %s stays in force: %s", self.in_force.decider.package.hash, error)
        else:
            self._enforce(decider)

    def _prepared(self, package_hash: str) -> Decider:
        package = self._shelf.find(package_hash)
        self.policy.check(package)
        return Decider(package)

    def _at_ms(self) -> int:
        return int(self._now().timestamp() * 1000)


def bucket(salt: str, customer: str) -> int:
    """Return a customer's bucket, 0 to 9999: always the same under one salt, and independent between salts."""
    return int.from_bytes(hashlib.sha256(f"{salt}\n{customer}".encode()).digest()[:8], "big") % BUCKETS
