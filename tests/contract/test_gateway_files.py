"""What the gateway writes and reads: the bootstrap, clusters and routes for Envoy, the route book, the port, and what a damaged file does."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.backends.traffic import book, effective, envoy, port, xds
from ctl.backends.traffic.book import RouteBook
from ctl.backends.traffic.force import InForce
from ctl.backends.traffic.site import Site
from ctl.errors import BackendError, BadInput
from ctl.model.fleet import RouteEntry, Routes

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PATHS = {"admin": "gateway.sock", "clusters": "/home/gateway/envoy-clusters.json", "routes": "/home/gateway/envoy-routes.json"}

RISK = Routes(
    service="risk",
    entries=(
        RouteEntry(release="1.4.2-0badc0de", weight_pct=90, instances=("risk-1.4.2-0badc0de-1",), addresses=("127.0.0.1:18001",)),
        RouteEntry(release="1.5.0-deadbeef", weight_pct=10, instances=("risk-1.5.0-deadbeef-1",), addresses=("127.0.0.1:18002",)),
    ),
    revision=7,
)


def golden(name: str, text: str) -> None:
    """Compare with the file kept; a change of the gateway's configuration is to be seen in a review."""
    kept = GOLDEN / name
    assert kept.is_file(), f"keep this as {kept}:\n{text}"
    assert text == kept.read_text()


def test_bootstrap() -> None:
    golden("envoy.yaml", envoy.render(TEMPLATES, port=17000, **PATHS))


def test_a_value_that_the_bootstrap_lacks_is_an_error() -> None:
    with pytest.raises(BackendError, match="could not render"):
        envoy.render(TEMPLATES, port=17000)


def test_cluster_and_routes() -> None:
    golden("envoy-cluster.json", json.dumps(xds.cluster(RISK), indent=1) + "\n")
    golden("envoy-routes.json", json.dumps(xds.table(["fraud", "risk"]), indent=1) + "\n")


def test_what_envoy_says_is_read_back() -> None:
    assignment = xds.cluster(RISK)["load_assignment"]
    dump = json.dumps({"configs": [{"endpoint_config": assignment}, {"endpoint_config": {"cluster_name": "fraud"}}]}).encode()
    assert xds.applied(dump) == {"risk": Routes(service="risk", entries=RISK.entries), "fraud": Routes(service="fraud")}
    assert xds.applied(b"{}") == {}


STRANGE = b'{"configs": [{"endpoint_config": {"cluster_name": "a", "endpoints": [{"lb_endpoints": [{}]}]}}]}'


@pytest.mark.parametrize("dump", [b"", b"[]", b"<html>", b'{"configs": [{}]}', STRANGE])
def test_a_strange_dump_is_no_answer(dump: bytes) -> None:
    with pytest.raises(ValueError):
        xds.applied(dump)


def test_names_and_version_of_a_table_are_read_back() -> None:
    text = xds.document("v1", [json.dumps(xds.table(["fraud", "risk"]))])
    assert (xds.names_in(text), xds.version_in(text)) == (["fraud", "risk"], "v1")
    assert all((xds.names_in(damaged), xds.version_in(damaged)) == ([], "") for damaged in ("", "{", "[]", '{"resources": [1]}', '{"resources": []}'))


words = st.text("abc-1.", min_size=1, max_size=6)
entries = st.lists(st.tuples(words, st.lists(st.integers(1, 60000), min_size=1, max_size=3, unique=True)), min_size=1, max_size=4, unique_by=lambda one: one[0])


@st.composite
def some_routes(draw: st.DrawFn) -> Routes:
    drawn = draw(entries)
    shares = [100 // len(drawn)] * len(drawn)
    shares[0] += 100 - sum(shares)
    made = tuple(
        RouteEntry(release=release, weight_pct=share, instances=tuple(f"{release}-{n}" for n in ports), addresses=tuple(f"127.0.0.1:{n}" for n in ports))
        for (release, ports), share in zip(drawn, shares, strict=True)
    )
    return Routes(service=draw(words), entries=made, revision=draw(st.integers(0, 9)))


@given(some_routes(), some_routes())
@settings(deadline=None, max_examples=60)
def test_xds_says_all_that_matters(one: Routes, other: Routes) -> None:
    by_service = {one.service: one, other.service: other}
    dump = json.dumps({"configs": [{"endpoint_config": xds.cluster(routes)["load_assignment"]} for routes in by_service.values()]})
    assert effective.equal(xds.applied(dump.encode())[other.service], other)
    assert effective.equal(one, other) == (set(one.entries) == set(other.entries)), "same releases, weights, instances and addresses, or not equal"


@given(st.lists(some_routes(), max_size=5, unique_by=lambda one: one.service))
@settings(deadline=None, max_examples=40)
def test_a_book_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, asked: list[Routes]) -> None:
    where = Site(tmp_path_factory.mktemp("book"))
    mine, theirs = RouteBook(where), RouteBook(where)
    assert theirs.read() == {}
    with mine.changing() as routes:
        routes.update({one.service: one for one in asked})
    assert not mine.has_moved()
    assert theirs.has_moved()
    assert theirs.read() == {one.service: one for one in asked}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"routes": 3}', '{"routes": [{}]}', '{"routes": [{"service": "a", "entries": 3}]}'])
def test_a_damaged_book_is_an_empty_one(text: str) -> None:
    assert book.parse(text) == {}


def test_a_port_is_chosen_once_unless_it_is_given(tmp_path: Path) -> None:
    where = Site(tmp_path / "home")
    chosen = port.keep(where, 0)
    assert chosen in port.CHOICES
    assert port.keep(where, 0) == chosen
    assert port.keep(where, 17123) == 17123
    assert port.keep(where, 0) == 17123
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("address", ["localhost:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", ""])
def test_an_address_that_must_be_looked_up_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="cannot route risk to"):
        port.check(Routes(service="risk", entries=(RouteEntry(release="a", weight_pct=100, instances=("a-1",), addresses=(address,)),)))


def test_the_first_answer_of_a_gateway_counts_more_than_what_was_asked() -> None:
    other = Routes(service="risk", entries=RISK.entries[:1])
    force = InForce()
    force.begin({"risk": RISK, "fraud": Routes(service="fraud", entries=RISK.entries)}, {"risk": other})
    force.expect({"risk": RISK, "fraud": Routes(service="fraud", entries=RISK.entries)})
    assert (force.routes["risk"].entries, "fraud" in force.routes, force.pending) == (other.entries, False, {"risk", "fraud"})
    assert force.see({"risk": other}, {"risk": RISK}) == []
    assert force.see({"risk": RISK}, {"risk": RISK}) == ["risk"]
    assert (force.routes["risk"], force.pending) == (RISK, {"fraud"})


def test_a_gateway_that_is_down_comes_back_with_what_was_asked() -> None:
    force = InForce()
    force.begin({"risk": RISK}, None)
    force.expect({"risk": RISK})
    assert (dict(force.routes), force.pending) == ({"risk": RISK}, set())
