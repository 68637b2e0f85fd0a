"""The proxy's thinking: who gets the next request, and what of a request and an answer goes along."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.backends.traffic.proxy import message
from ctl.backends.traffic.proxy.message import Head, Request
from ctl.backends.traffic.proxy.table import Table
from ctl.model.fleet import RouteEntry, Routes


def routes(*shares: tuple[int, int]) -> Routes:
    """Return routes from (weight, how many instances)."""
    made = []
    for number, (weight, count) in enumerate(shares):
        addresses = tuple(f"10.0.{number}.{place}:80" for place in range(count))
        made.append(RouteEntry(release=f"r{number}", weight_pct=weight, instances=addresses, addresses=addresses))
    return Routes(service="risk", entries=tuple(made))


def table(*shares: tuple[int, int]) -> Table:
    made = Table()
    made.load({"risk": routes(*shares)})
    return made


def release_of(address: str | None) -> int:
    assert address
    return int(address.split(".")[2])


@given(st.lists(st.tuples(st.integers(1, 97), st.integers(1, 4)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=50)
def test_shares_are_exact_in_every_round_and_even_inside_a_release(shares: list[tuple[int, int]]) -> None:
    made = table(*shares)
    whole = sum(weight for weight, _ in shares)
    for _ in range(2):
        chosen = [made.choose("risk", (), 0.0) for _ in range(whole)]
        counts = Counter(release_of(address) for address in chosen)
        assert [counts[number] for number in range(len(shares))] == [weight for weight, _ in shares]
        for number, (weight, count) in enumerate(shares):
            inside = Counter(address for address in chosen if release_of(address) == number)
            assert max(inside.values()) - min([*inside.values()] if len(inside) == count else [0]) <= 1, f"{weight} over {count}: {inside}"


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.sets(st.integers(0, 8)), st.sets(st.integers(0, 8)))
@settings(deadline=None, max_examples=80)
def test_a_request_goes_where_it_has_not_failed_if_there_is_such_a_place(counts: list[int], lost: set[int], tried: set[int]) -> None:
    made = table(*((1, count) for count in counts))
    all_of_them = sorted(made.addresses())
    gone = {address for number, address in enumerate(all_of_them) if number in lost}
    before = {address for number, address in enumerate(all_of_them) if number in tried}
    for address in gone:
        made.lost(address, 10.0)
    chosen = made.choose("risk", before, 10.5)
    for avoided in (gone | before, gone, before):
        if set(all_of_them) - avoided:
            assert chosen not in avoided
            return
    assert chosen in all_of_them, "the last one is tried whatever it did"


def test_a_lost_instance_is_out_for_longer_each_time_until_it_answers() -> None:
    made = table((1, 2))
    first, second = sorted(made.addresses())
    now = 0.0
    for out_s in (1.0, 2.0, 4.0, 5.0, 5.0):
        made.lost(first, now)
        made.lost(first, now + out_s / 2)  # while it is out, another loss says nothing new
        assert {made.choose("risk", (), now + out_s - 0.01) for _ in range(4)} == {second}
        now += out_s
        assert {made.choose("risk", (), now) for _ in range(4)} == {first, second}
    made.answered(first)
    made.lost(first, now)
    assert {made.choose("risk", (), now + 1.0) for _ in range(4)} == {first, second}


def test_a_service_whose_routes_stay_keeps_its_turn_and_one_without_any_has_nobody() -> None:
    made = table((1, 3))
    made.choose("risk", (), 0.0)
    line = made.lines["risk"]
    made.lost("10.0.0.0:80", 0.0)
    made.load({"risk": routes((1, 3)), "fraud": Routes(service="fraud")})
    assert made.lines["risk"] is line
    assert made.choose("fraud", (), 0.0) is None
    made.load({"risk": Routes(service="risk")})
    assert (made.choose("risk", (), 0.0), made.out) == (None, {})


def request(method: bytes = b"GET", target: bytes = b"/risk/x", body: bytes = b"", **headers: bytes) -> Request:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Request(method, target, pairs, body, keeps_open=True, is_old=False)


@pytest.mark.parametrize(
    "target, service, rest",
    [
        (b"/risk", "risk", b"/"),
        (b"/risk/", "risk", b"/"),
        (b"/risk?a=/b", "risk", b"/?a=/b"),
        (b"/risk/v1/x?a=1&b=%2F", "risk", b"/v1/x?a=1&b=%2F"),
        (b"/risk//x", "risk", b"//x"),
        (b"/", "", b"/"),
        (b"*", "", b"/"),
        (b"", "", b"/"),
    ],
)
def test_the_first_word_of_the_path_is_the_service(target: bytes, service: str, rest: bytes) -> None:
    assert request(target=target).split() == (service, rest)


def test_headers_of_a_connection_end_with_it() -> None:
    hops = {"connection": b"keep-alive, X-Mine", "x_mine": b"1", "te": b"trailers", "expect": b"100-continue"}
    one = request(b"POST", body=b"12", host=b"gw", **hops, traceparent=b"t", x_request_id=b"r")
    assert one.forwarded(b"/x") == b"POST /x HTTP/1.1\r\nhost: gw\r\ntraceparent: t\r\nx-request-id: r\r\ncontent-length: 2\r\n\r\n12"


def test_an_empty_post_says_that_it_is_empty() -> None:
    assert b"content-length: 0\r\n" in request(b"POST").forwarded(b"/")
    assert b"content-length" not in request(b"GET").forwarded(b"/")


@pytest.mark.parametrize(
    "status, length, is_old, method, in_chunks, stays",
    [
        (200, True, False, b"GET", False, True),
        (200, False, False, b"GET", True, True),
        (200, False, True, b"GET", False, False),
        (200, True, True, b"GET", False, True),
        (204, False, False, b"GET", False, True),
        (304, False, True, b"GET", False, True),
        (200, False, False, b"HEAD", False, True),
    ],
)
def test_how_a_body_is_framed(status: int, length: bool, is_old: bool, method: bytes, in_chunks: bool, stays: bool) -> None:
    head = Head(status=status, reason=b"R", headers=[(b"Content-Length", b"3")] if length else [(b"Transfer-Encoding", b"chunked")])
    said, chunked, open_after = message.framed(head, Request(method, b"/", [], b"", keeps_open=True, is_old=is_old))
    assert (chunked, open_after) == (in_chunks, stays)
    assert said.startswith(b"HTTP/1.1 %d R\r\n" % status)
    assert (b"transfer-encoding: chunked" in said) == in_chunks
    assert (b"connection: close" in said) == (not stays)
