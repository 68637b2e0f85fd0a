"""The fraud desk's pages in a real Chromium: keys alone, a supervisor who takes over, double clicks without scripts, hostile text, narrow and dark screens."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from reference_apps.fraud.simulating import story as town
from tests.apps import browsing
from tests.apps.browsing import Chromium, Story, Visitors
from tests.apps.fraud_page import Served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with browsing.running() as found:
        yield found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def visit(served: Served, chromium: Chromium) -> Callable[[Story], None]:
    """Tell a story in a real browser; nothing may go wrong in its pages."""
    return browsing.telling(chromium, served, "/fraud")


async def opened(page: Page, name: str) -> None:
    await page.get_by_role("link", name=name, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("at risk")


def test_from_sign_in_to_the_decision_by_keys_alone(served: Served, visit: Callable[[Story], None]) -> None:
    mild, grave = served.ring(["a", "b", "c"], "d1"), served.ring(["e", "f", "g", "h"], "d2")

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li")
        await expect(page.get_by_role("heading", level=1)).to_have_text("2 open cases")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        for key, focused in (("j", grave), ("j", mild), ("j", mild), ("k", grave)):
            await page.keyboard.press(key)
            await expect(page.get_by_role("link", name=focused, exact=True)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("A ring of 2 accounts, 1,000.00 yuan at risk")
        await expect(page.get_by_role("img", name="The ring of")).to_be_visible()
        await page.keyboard.press("c")
        await expect(page.get_by_text("● yours, 30 min left")).to_be_visible()
        await page.keyboard.press("n")
        await page.keyboard.type("one farm; f and a are letters here")
        await page.get_by_label("Note").blur()
        await page.keyboard.press("f")
        await expect(page.get_by_role("button", name="Record the decision")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text(f"{grave}: confirmed fraud")
        await expect(page.get_by_role("heading", level=1)).to_have_text("1 open case")

    visit(story)
    decided = served.case(grave)
    assert (decided["outcome"], decided["decided_by"], decided["note"]) == ("confirmed_fraud", "li", "one farm; f and a are letters here")
    assert served.case(mild)["state"] == "open"


def test_a_supervisor_takes_over_and_of_two_who_decide_one_does(served: Served, visit: Callable[[Story], None]) -> None:
    name = served.ring(["a", "b", "c", "d"])

    async def story(visitors: Visitors) -> None:
        li, sun = await visitors.person("li"), await visitors.person("sun", prefix="")
        await opened(li, name)
        await li.keyboard.press("c")
        await li.get_by_role("radio", name="False alarm").check()
        await opened(sun, name)
        await sun.keyboard.press("t")
        await sun.get_by_role("radio", name="Inconclusive").check()
        await asyncio.gather(*(page.get_by_role("button", name="Record").click() for page in (li, sun)))
        await expect(sun.get_by_role("status")).to_contain_text(f"{name}: inconclusive")
        await expect(li.get_by_role("alert")).to_contain_text("Nothing was recorded")
        await expect(li.get_by_role("alert")).to_contain_text("Sun")

    visit(story)
    assert (served.case(name)["outcome"], served.case(name)["decided_by"]) == ("inconclusive", "sun")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_double_click_is_one_effect(served: Served, visit: Callable[[Story], None], scripts: bool) -> None:
    name = served.ring(["a", "b", "c"])

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li", java_script_enabled=scripts, viewport={"width": 390, "height": 800})
        await opened(page, name)
        await page.get_by_role("button", name="Claim for").dblclick()
        await page.get_by_role("radio", name="Inconclusive").check()
        await page.get_by_role("button", name="Record").dblclick()
        await expect(page.get_by_role("status")).to_contain_text(f"{name}: inconclusive")

    visit(story)
    assert [type(note).__name__ for _, note in served.app.desk.log.notes()] == ["Claim", "Decision"]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_every_page_of_a_town_fits_and_is_labelled(served: Served, visit: Callable[[Story], None], width: int, scheme: str) -> None:
    served.play(town.tell(7, days=4, customers=60, often=6.0).events)
    evil = served.ring(["a", "b", '<img src=x onerror="alert(1)">', "<script>alert(2)</script>" * 4], '"><svg onload=alert(3)>' + "x" * 90)

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li", viewport={"width": width, "height": 800}, color_scheme=scheme)
        await page.reload()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await browsing.fits(page)
        assert await page.locator("tr[data-row]").count() > 3
        await opened(page, evil)
        assert await page.locator("main img, main script").count() == 0
        await browsing.fits(page)
        await page.get_by_role("button", name="Claim for").click()
        await page.get_by_role("radio", name="Confirmed fraud").check()
        await browsing.fits(page)
        assert await page.evaluate("document.cookie") == "", "no script reads the session"
        await page.get_by_role("link", name="Queue").click()
        await page.locator("tr[data-row] a.open").first.click()
        await browsing.fits(page)
        inside = "[...document.querySelectorAll('.ring .pill')].every(each => each.getBBox().x >= 0 && each.getBBox().x + each.getBBox().width <= 600)"
        assert await page.evaluate(inside)
        await page.goto(served.url + "/fraud/desk/cases/case-999999")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
        await browsing.fits(page)

    visit(story)
