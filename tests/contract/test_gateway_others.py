"""Several processes on one home: whatever one of them asks for, every other one comes to see, at whichever moment it was written."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from ctl.backends.traffic.book import RouteBook
from ctl.backends.traffic.engine import Command
from ctl.backends.traffic.gateway import Gateway
from ctl.backends.traffic.site import Site
from ctl.model.fleet import RouteEntry, Routes
from tests.e2e.gateways import is_in_force, until


def routes(service: str) -> Routes:
    return Routes(service=service, entries=(RouteEntry(release="1-a", weight_pct=100, instances=(f"{service}-1",), addresses=("127.0.0.1:9",)),))


class Prompt:
    """A gateway program that applies the book at once; `meanwhile` happens while it is asked, and while it is written to."""

    name = "prompt"

    def __init__(self, where: Site) -> None:
        self._book = RouteBook(where)
        self.meanwhile: Callable[[], None] | None = None

    def prepare(self, port: int, asked: Mapping[str, Routes]) -> Command:
        raise AssertionError("nobody starts it")

    def write(self, asked: Mapping[str, Routes]) -> None:
        """The book is all it reads."""

    def in_force(self, services: Collection[str] | None) -> Mapping[str, Routes]:
        found = self._book.read()
        if self.meanwhile and services is not None:
            self.meanwhile()
            self.meanwhile = None
        return {service: one for service, one in found.items() if services is None or service in services}


@pytest.fixture
def home(tmp_path: Path) -> Site:
    return Site(tmp_path / "home")


@pytest.fixture
def program(home: Site) -> Prompt:
    return Prompt(home)


@pytest.fixture
def gateway(home: Site, program: Prompt) -> Iterator[Gateway]:
    opened = Gateway(home, program)
    yield opened
    opened.close(stop=False)


@pytest.fixture
def other(home: Site) -> Iterator[Gateway]:
    opened = Gateway(home, Prompt(home))
    yield opened
    opened.close(stop=False)


def test_what_another_writes_while_the_program_is_asked_is_seen(gateway: Gateway, other: Gateway, program: Prompt) -> None:
    program.meanwhile = lambda: other.set_routes(routes("fraud"))
    gateway.set_routes(routes("risk"))
    until("both", lambda: all(is_in_force(one, routes(service)) for one in (gateway, other) for service in ("risk", "fraud")), within_s=5)


def test_what_another_wrote_just_before_our_own_change_is_seen(home: Site, gateway: Gateway, other: Gateway, program: Prompt) -> None:
    gateway.set_routes(routes("risk"))
    until("it is in force", lambda: is_in_force(gateway, routes("risk")))
    other.set_routes(routes("fraud"))
    gateway.set_routes(routes("ledger"))
    until("all", lambda: all(is_in_force(one, routes(service)) for one in (gateway, other) for service in ("risk", "fraud", "ledger")), within_s=5)


def test_a_book_that_did_not_change_is_the_same_object(home: Site) -> None:
    mine, theirs = RouteBook(home), RouteBook(home)
    with theirs.changing() as asked:
        asked["risk"] = routes("risk")
    found = mine.read()
    assert found == {"risk": routes("risk")}
    assert mine.read() is found
    assert not mine.has_moved()
