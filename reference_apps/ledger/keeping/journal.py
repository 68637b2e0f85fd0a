"""The journal as a port: records in one chain, durable before `append` returns, and only the newest writer may append."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from reference_apps.ledger.keeping import record
from reference_apps.ledger.keeping.record import GENESIS, Broken, Record

Head = tuple[int, str]
"""The newest record's number and hash."""


class Fenced(Exception):
    """A newer writer has opened the journal: this one may never append again."""


class Unwritable(Exception):
    """The store did not take the record; whether it is there is known only after reading the journal again."""


class Unreachable(Exception):
    """The store cannot be opened or read now."""


class Journal(Protocol):
    """One writer's hold on the journal; used by one thread at a time. `epoch` is the writer's term, 0 before it has one."""

    epoch: int

    def try_lead(self) -> bool:
        """Return whether no other living writer leads; a standby asks again until it is so. Raises Unreachable."""
        ...

    def begin_epoch(self, at_least: int = 0) -> int:
        """Become the writer: take the next epoch (not below `at_least`) and return it; every older writer is refused from then on."""
        ...

    def head(self) -> Head: ...

    def append(self, new: Record) -> None:
        """Make a record durable. Raises Fenced when a newer writer has begun, Unwritable when the store fails."""
        ...

    def records(self, after: int = 0) -> Iterator[Record]:
        """Yield the records beyond number `after`, oldest first, each checked against the chain. Raises Broken at the first that does not prove itself."""
        ...

    def part(self, seq: int, offset: int, length: int) -> bytes:
        """Return some bytes of a record's body, counted from 0; fewer, when it ends before. Raises Unreachable."""
        ...

    def close(self) -> None: ...


def refused(new: Record, head: Head, epoch: int) -> Fenced:
    """Return the error of a writer that comes late."""
    return Fenced(f"writer epoch {new.epoch} tried to append record {new.seq}, but the journal stands at record {head[0]} in epoch {epoch}")


def in_order(found: Iterable[Record], before: Head) -> Iterator[Record]:
    """Yield records that prove themselves, from the one after `before`. Raises Broken."""
    head, epoch = before, 0
    for one in found:
        record.check(one, head, epoch)
        head, epoch = (one.seq, one.hash), one.epoch
        yield one


def check_end(last: Head, promised: Head) -> None:
    """Raise Broken when the chain read does not end where the journal says it does."""
    if last != promised:
        raise Broken(f"the end is cut off: {last[0]} records are left of {promised[0]}")


def first_head() -> Head:
    """Return the head of a journal without records."""
    return 0, GENESIS
