"""Who gets the next request: releases by smooth weighted choice, their instances in turn, those that were lost a moment ago left out. No clock, no IO."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ctl.model.fleet import RouteEntry, Routes

OUT_S, MOST_OUT_S = 1.0, 5.0


@dataclass(slots=True)
class Share:
    """One release's part: `credit` grows by its weight at each choice, and whoever is chosen pays for all (nginx's smooth weighted round robin)."""

    weight: int
    addresses: tuple[str, ...]
    credit: int = 0
    turn: int = 0

    def next(self, among: Collection[str]) -> str:
        """Return the next address in turn that is `among` the usable ones (at least one is)."""
        while True:
            self.turn = (self.turn + 1) % len(self.addresses)
            if self.addresses[self.turn] in among:
                return self.addresses[self.turn]


@dataclass(slots=True)
class Line:
    """The shares of one service, and the routes they were made from."""

    routes: Routes
    shares: tuple[Share, ...]


@dataclass(slots=True)
class Table:
    """All services. `out` holds, by address, until when it is left out and how often in a row it was lost."""

    lines: dict[str, Line] = field(default_factory=dict)
    out: dict[str, tuple[float, int]] = field(default_factory=dict)

    def load(self, routes: Mapping[str, Routes]) -> None:
        """Apply routes; a service whose routes did not change keeps its turn."""
        kept = {service: line for service, line in self.lines.items() if routes.get(service) == line.routes}
        self.lines = {service: kept.get(service) or Line(one, tuple(_shares(one.entries))) for service, one in routes.items()}
        known = self.addresses()
        self.out = {address: lost for address, lost in self.out.items() if address in known}

    def addresses(self) -> frozenset[str]:
        """Return every address that may get traffic."""
        return frozenset(address for line in self.lines.values() for share in line.shares for address in share.addresses)

    def choose(self, service: str, tried: Collection[str], now: float) -> str | None:
        """Return the address for the next attempt, if possible one that was neither tried nor lost; None when the service has no instance."""
        line = self.lines[service]
        if not tried and not self.out:
            return _smooth([(share, share.addresses) for share in line.shares])
        lost = {address for address, (until, _) in self.out.items() if until > now}
        for avoided in ({*tried, *lost}, lost, set(tried), set[str]()):
            usable = [(share, [address for address in share.addresses if address not in avoided]) for share in line.shares]
            if any(addresses for _, addresses in usable):
                return _smooth([(share, addresses) for share, addresses in usable if addresses])
        return None

    def lost(self, address: str, now: float) -> None:
        """Leave it out for a while: a second at first, longer each time in a row."""
        until, strikes = self.out.get(address, (0.0, 0))
        if until <= now:
            self.out[address] = (now + min(MOST_OUT_S, OUT_S * 2**strikes), strikes + 1)

    def answered(self, address: str) -> None:
        """Take it in again."""
        if self.out:
            self.out.pop(address, None)


def _shares(entries: Iterable[RouteEntry]) -> Iterable[Share]:
    return (Share(weight=entry.weight_pct, addresses=entry.addresses) for entry in entries)


def _smooth(usable: Collection[tuple[Share, Collection[str]]]) -> str | None:
    if not usable:
        return None
    for share, _ in usable:
        share.credit += share.weight
    chosen, addresses = max(usable, key=lambda one: one[0].credit)
    chosen.credit -= sum(share.weight for share, _ in usable)
    return chosen.next(addresses)
