"""The fraud desk's pages: signing in, the queue, a case and its ring, work with stale pages and double clicks; over HTTP."""

import asyncio
import re
from collections.abc import Coroutine
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit.desk import browsers
from reference_apps.fraud.cases.model import Alert
from reference_apps.fraud.keeping.people import Role
from reference_apps.fraud.model import Verdict
from reference_apps.fraud.page import drawing
from tests.apps.conftest import ask_asgi
from tests.apps.fraud_cases import Client, Clock, check, opened, token_of, until
from tests.apps.fraud_page import Visitor, ring, visitor

EVIL = '<script>alert("x")</script>'


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_signing_in_and_out(tmp_path: Path) -> None:
    async def story() -> None:
        clock = Clock()
        async with opened(tmp_path, clock=clock) as app:
            token = token_of(app, "li")
            page = await Visitor(app).get("/desk/cases/case-7")
            assert (page.at, "Sign in" in page.text) == ("/desk/sign-in?case=case-7", True)
            await page.sign_in("guess")
            assert (page.status, "Nobody has this token" in page.text, len(page.cookies)) == (401, True, 0)
            await page.sign_in(token, case="case-7")
            assert (page.at, page.status) == ("/desk/cases/case-7", 404), "back to what was asked for, though there is no such case"
            [cookie] = [each.headers["set-cookie"] for each in page.answers if "set-cookie" in each.headers]
            assert "; HttpOnly; SameSite=Strict" in cookie
            assert token not in cookie
            await page.get("/desk")
            assert (page.at, page.status) == ("/desk/", 200)
            assert all(token not in str(each.headers) + str(each.body) for each in page.answers), "the token is in no page and no address"
            assert all(each.headers["cache-control"] == "no-store" and "default-src 'self'" in each.headers["content-security-policy"] for each in page.answers)
            other = await Visitor(app).sign_in(token)
            await page.press("sign-out")
            assert "Sign in" in page.text
            page.cookies.load(cookie)
            assert "Sign in" in (await page.get("/desk/")).text, "a session that was ended stays so, whoever kept the cookie"
            assert "No open case fits" in (await other.get("/desk/")).text
            clock.go(hours=8)
            assert "Sign in" in (await other.get("/desk/")).text
            third = await Visitor(app).sign_in(token)
            assert app.people.revoke("li")
            assert "Sign in" in (await third.get("/desk/")).text, "revoked is signed out everywhere"

    run(story())


def test_a_sign_in_from_another_site_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            page = await Visitor(app).send("/desk/sign-in", {"token": token_of(app, "li")}, **{"sec-fetch-site": "cross-site"})
            assert (page.status, len(page.cookies)) == (403, 0)
            secure = await Visitor(app).send("/desk/sign-in", {"token": token_of(app, "wang")}, **{"x-forwarded-proto": "https"})
            assert "; Secure" in secure.answers[0].headers["set-cookie"]

    run(story())


def test_the_queue_counts_orders_filters_and_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            page = await visitor(app, "li")
            mild, grave = await ring(app, ["a", "b", "c"], "d1"), await ring(app, ["e", "f", "g", "h"], "d2")
            await page.get("/desk/")
            assert "2 open cases 1,500.00 yuan at risk 2 free, 0 held gravest first" in page.text
            assert page.page.index(f">{grave}<") < page.page.index(f">{mild}<")
            assert "2 alerts, 2 accounts" in page.text
            await page.get("/desk/?order=oldest")
            assert page.page.index(f">{mild}<") < page.page.index(f">{grave}<")
            await page.press(f"{mild}/claim")
            assert (page.at, "● yours, 30 min left" in page.text) == (f"/desk/cases/{mild}", True)
            for query, names in (("holder=me", [mild]), ("holder=nobody", [grave]), ("state=decided", []), ("state=all", [grave, mild]),
                                 ("model=device_cluster", [grave, mild]), ("model=collusion", []), ("state=%22%3E", [grave, mild])):  # fmt: skip
                await page.get(f"/desk/?{query}")
                assert re.findall(r'class="open" href="./cases/(case-\d+)"', page.page) == names, query
            assert "1 free, 1 held" in (await page.get("/desk/")).text
            assert (await page.get("/desk/?model=astrology")).status == 422
            assert (await page.get("/desk/?after=1_2;")).status == 422
            monkeypatch.setattr("reference_apps.fraud.page.web.A_PAGE", 1)
            await page.get("/desk/?order=oldest")
            assert "1 to 1 of 2" in page.text
            [following] = re.findall(r'rel="next" href="([^"]*)"', page.page)
            await page.get(unescape(following))
            assert ("2 to 2 of 2" in page.text, f">{grave}<" in page.page, f">{mild}<" in page.page) == (True, True, False)

    run(story())


def test_a_case_shows_its_ring_its_alerts_and_what_is_known(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            page, client = await visitor(app, "li"), Client(app, token_of(app, "robot"))
            name = await ring(app, ["a", "b", "c", "d"], "farm")
            linked = check("e", "farm", event_id="application:app-17")
            await client.post("/v1/checks", linked)
            await until(lambda: client.get(f"/v1/cases/{name}"), lambda case: case["alert_count"] == 3)
            await page.get(f"/desk/cases/{name}")
            assert "A ring of 3 accounts, 1,500.00 yuan at risk" in page.text
            assert "3 accounts share 1 device (up to 3 accounts on one)." in page.text
            assert page.page.count('<path class="tie"') == 3
            assert "device farm, of 3 accounts" in page.text
            assert "many applicants on one device: 5 accounts on this device in 24 h" in page.text
            assert "Models that spoke: " in page.text
            assert "Applications at approval app-17" in page.text
            assert "opened by an alert of c" in page.text
            alert = (await client.get(f"/v1/cases/{name}"))["alerts"][1]["position"]
            await page.get(f"/desk/cases/case-{alert}")
            assert (page.at, page.status) == (f"/desk/cases/{name}?was=case-{alert}", 200)
            assert f"case-{alert} is part of {name} now" in page.text

    run(story())


def test_hostile_text_is_text(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            page = await visitor(app, "li")
            name = await ring(app, ["a", "b", EVIL, f"{EVIL}2"], f'"><svg onload=x>{EVIL}')
            for path in ("/desk/", f"/desk/cases/{name}"):
                await page.get(path)
                assert "<script>" not in page.page
                assert "<svg onload" not in page.page
                assert "&lt;script&gt;" in page.page
            await page.press("claim")
            await page.press("decide", outcome="false_alarm", note=EVIL)
            await page.get(f"/desk/cases/{name}")
            assert "<script>" not in page.page
            assert EVIL in page.text
            await page.get("/desk/cases/<script>x")
            assert (page.status, "&lt;script&gt;x" in page.page, "<script>" in page.page) == (404, True, False)

    run(story())


def test_claim_release_take_over_and_decide(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li, wang, sun = await visitor(app, "li"), await visitor(app, "wang"), await visitor(app, "sun", Role.SUPERVISOR)
            name = await ring(app, ["a", "b", "c", "d"])
            here = f"/desk/cases/{name}"
            await wang.get(here)
            await (await li.get(here)).press("claim")
            assert "● yours" in li.text
            await wang.press("claim")
            assert (wang.status, f"Nothing was recorded: {name} is with Li, 30 min left." in wang.text) == (409, True)
            assert "A supervisor can take it over" in wang.text
            made_up = browsers.mark(wang.cookies["fraud_desk"].value, "take-over", name)
            await wang.send(f"{here}/take-over", {"csrf": made_up})
            assert (wang.status, "only a supervisor takes from others" in wang.text) == (403, True)
            await (await sun.get(here)).press("take-over")
            assert ("● yours" in sun.text, "◐ Sun, 30 min left" in (await li.get(here)).text) == (True, True)
            await sun.press("release")
            assert "○ free" in sun.text
            await (await li.get(here)).press("claim")
            await li.press("decide", note="they are one")
            assert (li.status, "choose what the case came to" in li.text, "they are one</textarea>" in li.page) == (422, True, True)
            await li.press("decide", outcome="confirmed_fraud", note="they are one")
            assert li.at == f"/desk/?done={name}"
            assert f"✔ {name}: confirmed fraud. It is recorded; its accounts go on the block list for a year." in li.text
            assert "It is recorded" not in (await wang.get(f"/desk/?done={name}")).text, "said only to who did it"
            await wang.get(f"{here}/decide")
            assert "✔ Confirmed fraud 确认欺诈 , by Li" in wang.text
            assert "they are one" in wang.text
            client = Client(app, token_of(app, "robot"))
            assert (await client.get(f"/v1/cases/{name}"))["note"] == "they are one"
            blocked = await until(lambda: client.get("/v1/lists"), lambda each: len(each["items"]) == 2)
            assert blocked["items"][0]["reason"] == f"confirmed fraud in {name}, by li"

    run(story())


def test_a_stale_page_is_refused_and_says_what_came(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li = await visitor(app, "li")
            name = await ring(app, ["a", "b", "c", "d"])
            await li.get(f"/desk/cases/{name}")
            await li.press("claim")
            client = Client(app, token_of(app, "robot"))
            await client.post("/v1/checks", check("late", "farm", amount_fen=123_456))
            other = await ring(app, ["x", "y", "z"], "other")
            await client.post("/v1/checks", check("bridge", "farm", contacts=["uncle"]))
            await client.post("/v1/checks", check("z", "own", contacts=["uncle"]))
            await until(lambda: client.get(f"/v1/cases/{name}"), lambda case: case["merged"] == [other])
            await li.press("decide", outcome="false_alarm", note="a family")
            assert li.status == 409
            assert f"What you saw of {name} has changed: " in li.text
            assert "✖ block of late, 1,234.56 yuan" in li.text
            assert f"{other} went into it" in li.text
            assert "Nothing was recorded" in li.text
            assert "● new" in li.text
            assert "a family</textarea>" in li.page, "what was typed is kept"
            assert 'value="false_alarm" required data-key="a" checked' in li.page
            assert (await client.get(f"/v1/cases/{name}"))["state"] == "open"
            await li.press("decide", outcome="false_alarm", note="a family")
            assert f"{name}: false alarm" in li.text

    run(story())


def test_a_claim_that_ran_out_keeps_what_was_typed(tmp_path: Path) -> None:
    async def story() -> None:
        clock = Clock()
        async with opened(tmp_path, clock=clock) as app:
            li = await visitor(app, "li")
            await li.get(f"/desk/cases/{await ring(app, ['a', 'b', 'c'])}")
            await li.press("claim")
            clock.go(minutes=31)
            await li.press("decide", outcome="inconclusive", note="half an hour of thought")
            assert (li.status, "you do not hold" in li.text) == (409, True)
            assert "What you wrote, not recorded half an hour of thought" in li.text
            assert "the claim of Li ran out" in li.text

    run(story())


def test_a_double_click_is_one_effect(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li = await visitor(app, "li")
            name = await ring(app, ["a", "b", "c"])
            await li.get(f"/desk/cases/{name}")
            for verb, typed in (("claim", {}), ("decide", {"outcome": "inconclusive"})):
                action, fields = li.form(verb)
                path, before = urljoin(li.at, action), len(app.desk.log.notes())
                body = urlencode(fields | typed).encode()
                cookie = {"cookie": f"fraud_desk={li.cookies['fraud_desk'].value}"}
                answers = await asyncio.gather(*(ask_asgi(app.door, "POST", path, body, cookie) for _ in range(2)))
                assert [each.status for each in answers] == [303, 303]
                assert answers[0].headers["location"] == answers[1].headers["location"]
                assert len(app.desk.log.notes()) == before + 1, verb
                await li.get(f"/desk/cases/{name}")

    run(story())


@pytest.mark.parametrize("spoil", ["none", "other verb", "other case", "other session"])
def test_a_form_that_is_not_the_sessions_own_changes_nothing(tmp_path: Path, spoil: str) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li, wang = await visitor(app, "li"), await visitor(app, "wang")
            name, other = await ring(app, ["a", "b", "c"], "d1"), await ring(app, ["e", "f", "g"], "d2")
            await li.get(f"/desk/cases/{name}")
            await wang.get(f"/desk/cases/{name}")
            marks = {"none": "", "other verb": li.form("sign-out")[1]["csrf"], "other session": wang.form("claim")[1]["csrf"]}
            mark = marks.get(spoil, li.form("claim")[1]["csrf"])
            await li.send(f"/desk/cases/{other if spoil == 'other case' else name}/claim", {"csrf": mark})
            assert (li.status, "this form was not made for your session" in li.text) == (403, True)
            assert app.desk.log.notes() == []

    run(story())


def test_what_is_not_there(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path) as app:
            li = await visitor(app, "li")
            for path in ("/desk/cases/case-99", "/desk/cases/case-0", "/desk/cases/17", "/desk/static/web.py", "/desk/static/..%2Fweb.py"):
                assert (await li.get(path)).status == 404, path
            for name, kind in (("desk.css", "text/css"), ("ring.css", "text/css"), ("desk.js", "text/javascript"), ("desk.svg", "image/svg+xml")):
                await li.get(f"/desk/static/{name}")
                assert (li.status, li.answers[-1].headers["content-type"].partition(";")[0]) == (200, kind)

    run(story())


def alert(position: int, account: str, **keys: list[str]) -> Alert:
    return Alert(
        position=position, event_id=f"e{position}", kind="application", at_ms=position, account=account, phone="", keys=dict(keys), amount_fen=100,
        verdict=Verdict.REVIEW, reasons=[], models=[],
    )  # fmt: skip


NAMES = st.sampled_from([f"n{number}" for number in range(30)])
ALERTS = st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=1)), min_size=1, max_size=60).map(
    lambda found: [alert(at, account, contact=contacts, device=devices) for at, (account, contacts, devices) in enumerate(found, 1)]
)


@settings(max_examples=60)
@given(ALERTS)
def test_a_drawing_is_one_function_of_the_alerts_and_counts_what_it_leaves_out(alerts: list[Alert]) -> None:
    made = drawing.draw(alerts)
    assert made == drawing.draw(alerts)
    accounts = [pill for pill in made.pills if pill.x == drawing.LEFT]
    things = [pill for pill in made.pills if pill.x == drawing.RIGHT]
    assert len(accounts) + made.more_accounts == made.accounts == len({each.account for each in alerts})
    assert max(len(accounts), len(things)) <= drawing.MOST_ROWS
    assert len({(pill.x, pill.y) for pill in made.pills}) == len(made.pills), "no two in one place"
    assert all(pill.y - 14 >= drawing.TOP and pill.y + 14 <= made.height for pill in made.pills)
    if made.is_shared:
        assert len(things) + made.more_shared == made.shared


def test_a_big_ring_is_shortened_and_says_so(tmp_path: Path) -> None:
    alerts = [alert(number, f"a{number}", device=["farm"], contact=[f"c{number % 20}"]) for number in range(1, 61)]
    made = drawing.draw(alerts)
    assert (made.accounts, made.more_accounts, made.shared, made.more_shared) == (60, 48, 21, 9)
    assert made.said == "60 accounts share 1 device (up to 60 accounts on one), 20 contacts (up to 3 accounts on one)."
    assert drawing.shortened("a" * 30 + "z" * 30) == "a" * 10 + "…" + "z" * 9
    assert drawing.shortened("欺" * 30) == "欺" * 5 + "…" + "欺" * 4
