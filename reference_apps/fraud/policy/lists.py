"""The lists as they stand at a place in the log: the newest entry of each list, family and value. Pure."""

from collections.abc import Iterable

from reference_apps.fraud.model import Event, Family, Listing, ListKind

NOBODY: tuple[Listing, ...] = ()


class Lists:
    """What entries are in force for an event."""

    def __init__(self, entries: Iterable[Listing] = ()) -> None:
        self._newest: dict[tuple[str, str], dict[ListKind, Listing]] = {}
        for entry in entries:
            self.note(entry)

    def note(self, entry: Listing) -> None:
        """Take in an entry; it replaces an earlier one of the same list, family and value."""
        self._newest.setdefault((entry.family.value, entry.value), {})[entry.kind] = entry

    def in_force(self, event: Event) -> tuple[Listing, ...]:
        """Return the entries in force for an event, in a fixed order."""
        if not self._newest:
            return NOBODY
        found: list[Listing] = []
        for family in Family:
            for key in dict.fromkeys(event.keys(family)):
                named = self._newest.get((family.value, key))
                if named:
                    found += [named[kind] for kind in ListKind if kind in named and named[kind].from_ms <= event.at_ms < named[kind].until_ms]
        return tuple(found)
