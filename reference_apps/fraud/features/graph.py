"""Who is linked to whom: accounts that share a device or a contact. A pure function of the events and marks it was shown, in the order of the log.

A device or contact that PUBLIC accounts share (a shop's tablet, a hotline) links no further ones: it says nothing about them. Links never end; a ring is
everybody who is linked, over however many steps. All kinds of events link.
"""

from itertools import repeat

import msgspec

from reference_apps.fraud.features.spec import DAY_MS
from reference_apps.fraud.model import Event, Listing, ListKind

PUBLIC = 200

Hub = dict[str, int]
"""The accounts on one device or contact, with the event time of the first time."""


class Ties(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """An event's place in the graph, itself included. `sharing`: most other accounts on one of its devices and contacts; `ring`: accounts in its ring;
    `near`: other accounts within two hops, once for each hub; `bad_near`: those of them on the block list; `new_24h`: links made there in 24 h;
    `linked`: the accounts that this event was the first to link its own to."""

    sharing: int = 0
    ring: int = 1
    near: int = 0
    bad_near: int = 0
    new_24h: int = 0
    linked: tuple[str, ...] = ()

    @property
    def bad_share(self) -> float:
        return self.bad_near / self.near if self.near else 0.0


NUMBERS = tuple(name for name in Ties.__struct_fields__ if name != "linked")
"""What of an event's place is a number: what rules may name, and what SQL says too."""


class Rings:
    """Accounts that are linked, as sets that only grow (union-find by size, paths halved)."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._sizes: dict[str, int] = {}

    def join(self, one: str, other: str) -> None:
        small, large = self.root(one), self.root(other)
        if small == large:
            return
        if self._sizes.get(small, 1) > self._sizes.get(large, 1):
            small, large = large, small
        self._parents[small] = large
        self._sizes[large] = self._sizes.get(large, 1) + self._sizes.pop(small, 1)

    def size(self, account: str) -> int:
        return self._sizes.get(self.root(account), 1)

    def root(self, account: str) -> str:
        """Return the account that stands for the whole ring."""
        parents = self._parents
        while (above := parents.get(account)) is not None:
            higher = parents.get(above)
            if higher is None:
                return above
            parents[account] = higher
            account = higher
        return account


class Marks:
    """Accounts known to be bad: those whose newest entry on the block list was not taken back. Its end does not make an account good."""

    def __init__(self) -> None:
        self.bad: set[str] = set()

    def note(self, listing: Listing) -> None:
        if listing.kind is ListKind.BLOCK and listing.family == "account":
            (self.bad.add if listing.until_ms > listing.from_ms else self.bad.discard)(listing.value)


def hubs_of(event: Event) -> tuple[tuple[str, str], ...]:
    """Return what links the event's account to others, each once: family and key."""
    found = zip(repeat("contact"), event.contacts if len(event.contacts) < 2 else dict.fromkeys(event.contacts))
    return (("device", event.device), *found) if event.device else tuple(found)


def link(hub: Hub, account: str, at_ms: int) -> str | None:
    """Put an account on a hub and return the one that it is linked to by that; None: it was there, is the first, or the hub is public."""
    if account in hub or len(hub) >= PUBLIC:
        return None
    anchor = next(iter(hub), None)
    hub[account] = at_ms
    return anchor


def near(hub: Hub, account: str, at_ms: int, bad: set[str]) -> tuple[int, int, int]:
    """Return the other accounts on a hub, how many of them are bad, and how many links were made in the 24 h up to `at_ms`."""
    spoilt = len(bad & hub.keys()) - (account in bad and account in hub) if bad else 0
    since = at_ms - DAY_MS
    return len(hub) - (account in hub), spoilt, len([when for when in hub.values() if since < when <= at_ms])
