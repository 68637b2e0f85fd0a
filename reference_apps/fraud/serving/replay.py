"""A log judged in one go, by one shard that owns everything: what several instances say together must be this. Pure.

Rules are tried on history with it before they are switched on, and it is how fast the whole is in one process.
"""

from collections.abc import Iterable, Iterator

import msgspec

from reference_apps.fraud.features.graph import Ties
from reference_apps.fraud.features.keystate import Figures
from reference_apps.fraud.features.shard import Shard
from reference_apps.fraud.features.spec import NOTHING
from reference_apps.fraud.keeping import record
from reference_apps.fraud.keeping.log import Item
from reference_apps.fraud.model import Event, Judgement, Listing
from reference_apps.fraud.models.scoring import Look
from reference_apps.fraud.notes import Note
from reference_apps.fraud.policy.judge import judge
from reference_apps.fraud.policy.lists import Lists
from reference_apps.fraud.policy.policy import Policy


class Replayed(msgspec.Struct):
    """One event of the log with its features, what the policy makes of it, and how odd the anomaly detector finds it."""

    position: int
    event: Event
    figures: tuple[Figures, ...]
    ties: Ties
    late_ms: int
    judgement: Judgement
    listings: tuple[Listing, ...] = ()
    odd: int | None = None

    def record(self, policy: Policy) -> bytes:
        """Return the judgement as it would be kept."""
        return record.write(self.judgement, policy.id, self.figures, self.ties, self.late_ms, odd=self.odd)


def replay(policy: Policy, log: Iterable[tuple[int, Item]], shard: Shard | None = None) -> Iterator[Replayed]:
    """Yield every event of a log, judged. `shard`: where to go on from; None: from the log's beginning."""
    shard, lists = shard or Shard(), Lists()
    for position, item in log:
        if isinstance(item, Listing):
            shard.note(position, item)
            lists.note(item)
            continue
        if isinstance(item, Note):
            shard.pass_by(position)
            continue
        late_ms = shard.late_ms(item)
        known = shard.apply(position, item)
        figures = known.figures if all(known.figures) else tuple(NOTHING if each is None else each for each in known.figures)
        ties = known.ties or Ties()
        listings = lists.in_force(item)
        made = judge(policy, Look(item, figures, ties), listings, late_ms)  # type: ignore[arg-type]  # no None is left
        yield Replayed(position, item, figures, ties, late_ms, made, listings, odd=known.odd)  # type: ignore[arg-type]  # no None is left
