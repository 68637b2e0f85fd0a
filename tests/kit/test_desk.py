"""What the desks of apps share: times in words, marks that only a session can make, forms as they come, one look with each app's own beside it."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from ctl.kit.desk import browsers, moments
from ctl.kit.desk.pages import Look, Pages, bad
from ctl.kit.problem import Problem
from tests.apps.conftest import ask_asgi

NOW = 1_700_000_000_000


@pytest.mark.parametrize(
    ("span_ms", "said"),
    [
        (0, "just now"),
        (59_999, "just now"),
        (60_000, "1 min ago"),
        (3_600_000, "1 h ago"),
        (3_660_000, "1 h 1 min ago"),
        (90_000_000, "1 d 1 h ago"),
        (172_800_000, "2 d ago"),
        (-1, "in 1 min"),
        (-3_600_001, "in 1 h 1 min"),
    ],
)
def test_times_in_words(span_ms: int, said: str) -> None:
    assert moments.ago(NOW - span_ms, NOW) == moments.Moment(said, moments.iso(NOW - span_ms))
    assert moments.iso(NOW) == "2023-11-14T22:13:20.000+00:00"


@given(st.text(max_size=20), st.text(max_size=20), st.text("abc-", max_size=8), st.text("abc-", max_size=8))
def test_a_mark_is_for_one_session_one_verb_and_one_thing(session: str, other: str, verb: str, thing: str) -> None:
    mark = browsers.mark(session, verb, thing)
    assert browsers.is_marked(session, verb, thing, mark)
    assert browsers.is_marked(other, verb, thing, mark) == (session == other)
    assert not browsers.is_marked(session, f"{verb}x", thing, mark)
    assert not browsers.is_marked(session, verb, f"{thing}x", mark)
    assert not browsers.is_marked(session, verb, thing, "é")


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=40), max_size=8))
def test_a_form_is_read_as_it_was_filled(fields: dict[str, str]) -> None:
    assert browsers.form(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(("body", "code"), [(b"a=" + b"x" * 65_536, "form_too_large"), (b"a=%ff", "form_unreadable"), ("a=é".encode(), "form_unreadable"),
                                            (b"&".join([b"a=1"] * 31), "form_unreadable")])  # fmt: skip
def test_what_is_no_form_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(Problem) as refused:
        browsers.form(body)
    assert refused.value.code == code


def test_a_refusal_is_one_sentence() -> None:
    assert bad("it is gone")["text"] == bad("It is gone.")["text"] == "It is gone."


class Nobody:
    """Sessions of nobody."""

    async def begin(self, token: str) -> str | None:
        return None

    async def who(self, session: str) -> None:
        return None

    async def end(self, session: str) -> None:
        return None


def a_desk(folder: Path) -> FastAPI:
    """Return an app with a desk that has one style of its own and no page yet."""
    for name in ("templates", "static"):
        (folder / name).mkdir()
    (folder / "static" / "own.css").write_text("p { margin: 0 }")
    look = Look(folder=folder, name="Desk & Co", name_zh="台", cookie="desk", thing="paper", token_for="Yours.", nobody="nobody has it", styles=("own.css",))
    app = FastAPI()
    Pages(look, Nobody()).add_routes(app)
    return app


def test_a_desk_has_the_common_look_and_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        desk = a_desk(tmp_path)
        shown = await ask_asgi(desk, "GET", '/desk/sign-in?paper=<b>"')
        assert "<title>Sign in · Desk &amp; Co</title>" in shown.body
        assert shown.body.index("static/desk.css") < shown.body.index("static/own.css")
        assert 'name="paper" value="&lt;b&gt;&#34;"' in shown.body
        for name, status in (("desk.css", 200), ("own.css", 200), ("desk.js", 200), ("pages.py", 404)):
            assert (await ask_asgi(desk, "GET", f"/desk/static/{name}")).status == status, name
        refused = await ask_asgi(desk, "POST", "/desk/sign-in", b"token=guess&paper=p-1")
        assert (refused.status, "✖ Nobody has it." in refused.body, 'value="p-1"' in refused.body) == (401, True, True)
        assert "set-cookie" not in refused.headers
        away = await ask_asgi(desk, "POST", "/desk/sign-out", b"")
        assert (away.status, away.headers["location"]) == (303, "./sign-in")

    asyncio.run(story())
