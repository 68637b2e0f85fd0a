"""A real Chromium for the tests of the desks: people with browsers of their own, and what must hold on every page."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Desk(Protocol):
    """An instance that serves a desk: where, and the tokens of those who work there."""

    url: str
    tokens: dict[str, str]


class Visitors:
    """Browsers of people, each with cookies of its own."""

    def __init__(self, browser: Browser, served: Desk, prefix: str) -> None:
        self._browser, self._served, self._prefix = browser, served, prefix
        self.wrong: list[str] = []

    async def tell(self, story: "Story") -> None:
        try:
            await story(self)
        finally:
            for context in self._browser.contexts:
                await context.close()

    async def person(self, who: str, *, prefix: str | None = None, **options: Any) -> Page:
        """Sign somebody in with a new browser and return its page, on the queue."""
        prefix = self._prefix if prefix is None else prefix
        context = await self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self.wrong.append(message.text) if "Security Policy" in message.text else None)
        page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        await page.goto(f"{self._served.url}{prefix}/desk")
        await page.get_by_label("Your token").fill(self._served.tokens[who])
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{prefix}/desk/")
        return page


Story = Callable[[Visitors], Awaitable[None]]
Chromium = tuple[asyncio.Runner, Browser]


@contextmanager
def running() -> Iterator[Chromium]:
    """One browser for all stories, and the loop that it lives on. Without a Chromium a test skips, but fails where all tests must run."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium on PATH; .ci/run installs it")
        pytest.skip("there is no chromium on PATH")
    with asyncio.Runner() as runner:
        playwright = runner.run(async_playwright().start())
        browser = runner.run(playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]))
        yield runner, browser
        runner.run(browser.close())
        runner.run(playwright.stop())


def telling(chromium: Chromium, served: Desk, prefix: str) -> Callable[[Story], None]:
    """Return what tells a story in a real browser; nothing may go wrong in its pages."""
    runner, browser = chromium

    def run(story: Story) -> None:
        visitors = Visitors(browser, served, prefix)
        runner.run(visitors.tell(story))
        assert visitors.wrong == []

    return run


async def fits(page: Page) -> None:
    """The page scrolls in one direction only, and every field has a name."""
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url
    nameless = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(field => !field.labels.length).length"
    assert await page.evaluate(nameless) == 0
