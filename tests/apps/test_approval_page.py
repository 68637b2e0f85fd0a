"""The reviewer's page in a real Chromium: keys, four eyes, races, double clicks, text that wants to be a script, narrow screens, no scripts at all."""

import asyncio
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Page, expect

from ctl.kit.calls import Answer
from reference_apps.approval import web
from reference_apps.approval.desk import accounts
from reference_apps.approval.desk.people import Reviewer, Role
from reference_apps.approval.engine import Engine, Rhythm, now_ms
from reference_apps.approval.flow.advance import Retry
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Patience, Services
from reference_apps.approval.store import Store
from tests.apps import browsing
from tests.apps.browsing import Chromium, Story, Visitors

START_S = 20.0
OFFER = {"limit_fen": 400_000, "annual_rate": "0.18", "flow": "normal", "grade": "B"}
REASON = {"code": "thin_file", "en": "Little is known of this customer.", "zh": "该客户信用记录较少。"}
PEOPLE = (
    Reviewer(id="li.wei", name="Li Wei", skills=("credit",)),
    Reviewer(id="anna", name="Anna Zhou", skills=("credit",)),
    Reviewer(id="sun", name="Sun Li", skills=("fraud", "operations"), role=Role.SUPERVISOR),
)


class Neighbours:
    """Fraud that lets pass, risk that wants a person to look, and a ledger that counts its loans."""

    def __init__(self) -> None:
        self.loans: Counter[str] = Counter()

    async def get(self, service: str, path: str, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        return Answer(404, {"detail": "nothing"}, {})

    async def post(self, service: str, path: str, body: Any, *, timeout_s: float = 2.0, headers: Mapping[str, str] | None = None) -> Answer:
        if service == "fraud":
            return Answer(200, {"verdict": "pass"}, {})
        if service == "risk":
            return Answer(200, {"outcome": "review", "offer": OFFER, "missing_evidence": [], "reasons": [REASON]}, {})
        self.loans[(headers or {})["idempotency-key"]] += 1
        return Answer(201, {"loan_id": "LN1", "principal_fen": body["principal_fen"]}, {})


class Served:
    """One instance on a port of its own, reached directly and below /approval as through the gateway; `late_ms` puts its clock forward."""

    def __init__(self, folder: Path) -> None:
        self.late_ms = 0
        self.neighbours = Neighbours()
        self.store = Store(folder, "approval-1", "approval-1#1")
        with self.store.write() as connection:
            self.tokens = {person.id: accounts.add(connection, person, 0) for person in PEOPLE}
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(START_S)

    async def _serve(self) -> None:
        services, flows = Services(self.neighbours, Patience(), {}), Published(self.store, "loan", bundled())
        engine = Engine(self.store, services, Retry(), Rhythm(sweep_s=0.05), flows, lambda: now_ms() + self.late_ms)
        app = web.build(engine, self.store)

        async def behind_a_prefix(scope: Any, receive: Any, send: Any) -> None:
            path = scope.get("path", "").removeprefix("/approval")
            await app({**scope, "path": path, "raw_path": path.encode()} if scope["type"] == "http" else scope, receive, send)

        self._server = uvicorn.Server(uvicorn.Config(behind_a_prefix, port=0, log_level="warning", lifespan="off"))
        await engine.start()
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self._up.set()
        await serving
        await engine.stop()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(START_S)

    def apply(self, name: str, case_id: str, **more: Any) -> None:
        """Send an application that comes to a first review."""
        body = {
            "customer": {"id": case_id, "name": name, "age": 31, "phone": "13800000002"}, "device": f"device of {case_id}", "contacts": ["13900000001"],
            "amount_fen": 300_000, "consent": True,
            "evidence": {"zhima_score": 650, "pboc_record": "ordinary", "taobao": {"orders_12m": 40, "spend_12m_fen": 300_000}}, **more,
        }  # fmt: skip
        headers = {"content-type": "application/json", "idempotency-key": case_id}
        request = urllib.request.Request(f"{self.url}/v1/applications", json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.loads(answer.read())["status"] == "manual"

    def case(self, case_id: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/v1/applications/{case_id}", timeout=10) as answer:
            return json.loads(answer.read())

    def judged(self, case_id: str) -> list[tuple[str, str, str]]:
        return [(line["at"], line["person"], line["outcome"]) for line in self.case(case_id)["history"] if line["kind"] == "judged"]

    async def until(self, case_id: str, status: str) -> None:
        async with asyncio.timeout(10):
            while (await asyncio.to_thread(self.case, case_id))["status"] != status:
                await asyncio.sleep(0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with browsing.running() as found:
        yield found


@pytest.fixture
def visit(served: Served, chromium: Chromium) -> Callable[[Story], None]:
    """Tell a story in a real browser; nothing may go wrong in its pages."""
    return browsing.telling(chromium, served, "/approval")


async def opened(page: Page, customer: str) -> None:
    await page.get_by_role("link", name=customer).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(customer)


def test_from_sign_in_to_the_decision_by_keys_alone(served: Served, visit: Callable[[Story], None]) -> None:
    served.apply("Wang", "app-1")
    served.apply("John", "app-2")

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li.wei")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("2 tasks; the most urgent is due in 4 h")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        for key, focused in (("j", "Wang"), ("j", "John"), ("j", "John"), ("k", "Wang"), ("j", "John")):
            await page.keyboard.press(key)
            await expect(page.get_by_role("link", name=focused)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("John asks for 3,000.00 yuan over 12 months")
        await page.keyboard.press("c")
        await expect(page.get_by_text("● yours, 30 min left")).to_be_visible()
        await page.keyboard.press("n")
        await page.keyboard.type("jack called back; c and a are letters here")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("jack called back")).to_be_visible()
        await page.keyboard.press("a")
        await expect(page.get_by_role("button", name="Record the decision")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("First review of app-2: approved")
        await page.keyboard.press("c")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Wang")
        await page.keyboard.press("r")
        await expect(page.get_by_label("Reason to reject")).to_be_focused()
        await page.keyboard.press("O")
        await page.keyboard.press("Tab")
        await page.keyboard.type("outside")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("First review of app-1: rejected")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")

    visit(story)
    assert served.judged("app-2") == [("first_review", "li.wei", "approve")]
    assert served.judged("app-1") == [("first_review", "li.wei", "reject")]
    assert served.case("app-1")["status"] == "rejected"


def test_four_eyes_and_one_loan(served: Served, visit: Callable[[Story], None]) -> None:
    served.apply("Jane", "app-1", agent="sun")

    async def story(visitors: Visitors) -> None:
        li, anna = await visitors.person("li.wei"), await visitors.person("anna", prefix="")
        await opened(li, "Jane")
        await li.get_by_role("button", name="Claim for").click()
        await anna.reload()
        await expect(anna.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
        await anna.get_by_role("link", name="With others too").click()
        await expect(anna.get_by_text("◐ Li Wei, 30 min left")).to_be_visible()
        await li.get_by_role("radio", name="Approve").check()
        await li.get_by_role("button", name="Record").click()
        await expect(li.get_by_role("heading", level=1)).to_have_text("Nothing waits for you")
        second = served.url + "/approval/desk/tasks/" + (await _recheck(served))
        await li.goto(second)
        await expect(li.get_by_text("You may not decide, because you have acted on this case: decided first review.")).to_be_visible()
        await expect(li.get_by_role("button", name="Claim for")).to_have_count(0)
        await anna.goto(second.replace("/approval/", "/"))
        await expect(anna.get_by_text("First review: approved by Li Wei")).to_be_visible()
        await expect(anna.get_by_text("You may decide: you have not acted on this case.")).to_be_visible()
        await expect(anna.get_by_text("sun: brought the application in").or_(anna.get_by_text("Sun Li: brought the application in"))).to_be_visible()
        await anna.keyboard.press("c")
        await anna.get_by_role("radio", name="Approve").check()
        await anna.get_by_role("button", name="Record").click()
        await expect(anna.get_by_role("status")).to_contain_text("Re-check of app-1: approved")
        await served.until("app-1", "disbursed")

    visit(story)
    assert served.judged("app-1") == [("first_review", "li.wei", "approve"), ("recheck", "anna", "approve")]
    assert served.neighbours.loans == {"disburse-app-1": 1}
    assert served.case("app-1")["amount_fen"] == 300_000


async def _recheck(served: Served) -> str:
    """Return the id of the task that the re-check of app-1 has."""
    with served.store.read() as connection:
        return str(connection.execute("SELECT id FROM tasks WHERE stage = 'recheck'").fetchone()[0])


def test_of_two_browsers_that_decide_at_once_one_decides(served: Served, visit: Callable[[Story], None]) -> None:
    served.apply("Jane", "app-1")
    ends: list[str] = []

    async def story(visitors: Visitors) -> None:
        pages = [await visitors.person("li.wei"), await visitors.person("li.wei")]
        await opened(pages[0], "Jane")
        await pages[0].get_by_role("button", name="Claim for").click()
        await opened(pages[1], "Jane")
        await pages[0].get_by_role("radio", name="Approve").check()
        await pages[1].get_by_role("radio", name="Reject").check()
        await pages[1].get_by_label("Reason to reject").select_option("policy")
        await pages[1].get_by_label("In your words").fill("outside")
        await asyncio.gather(*(page.get_by_role("button", name="Record").click() for page in pages))
        for page in pages:
            await page.wait_for_load_state()
            ends.append(await page.locator("main").inner_text())

    visit(story)
    [(_, _, outcome)] = served.judged("app-1")
    done = {"approve": "approved", "reject": "rejected"}[outcome]
    assert sum(f"First review of app-1: {done}. It is recorded" in end for end in ends) == 1
    assert sum(f"decided already: {outcome} by Li Wei; nothing was changed" in end and f"{done.capitalize()} by Li Wei" in end for end in ends) == 1


def test_of_two_people_only_the_holder_decides(served: Served, visit: Callable[[Story], None]) -> None:
    """Li's claim ran out while his form was open; Anna claimed. Both record at the same moment."""
    served.apply("Jane", "app-1")

    async def story(visitors: Visitors) -> None:
        li, anna = await visitors.person("li.wei"), await visitors.person("anna")
        await opened(li, "Jane")
        await li.keyboard.press("c")
        await li.get_by_role("radio", name="Approve").check()
        served.late_ms = 31 * 60_000
        await anna.reload()
        await opened(anna, "Jane")
        await anna.keyboard.press("c")
        await anna.get_by_role("radio", name="Approve").check()
        await asyncio.gather(*(page.get_by_role("button", name="Record").click() for page in (li, anna)))
        await expect(anna.get_by_role("status")).to_contain_text("First review of app-1: approved")
        await expect(li.get_by_role("alert")).to_contain_text("Anna Zhou")
        await li.reload()

    visit(story)
    assert served.judged("app-1") == [("first_review", "anna", "approve")]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_double_click_is_one_effect(served: Served, visit: Callable[[Story], None], scripts: bool) -> None:
    served.apply("Jane", "app-1")

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li.wei", java_script_enabled=scripts, viewport={"width": 390, "height": 800})
        await opened(page, "Jane")
        await page.get_by_role("button", name="Claim for").dblclick()
        await page.get_by_label("A note for colleagues").fill("called")
        await page.get_by_role("button", name="Keep the note").dblclick()
        await expect(page.get_by_role("list").get_by_text("called", exact=True)).to_have_count(1)
        await page.get_by_role("radio", name="Approve").check()
        await page.get_by_role("button", name="Record").dblclick()
        await expect(page.get_by_role("status")).to_contain_text("First review of app-1: approved")

    visit(story)
    assert served.judged("app-1") == [("first_review", "li.wei", "approve")]
    with served.store.read() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        kinds = Counter(row[0] for row in connection.execute("SELECT kind FROM task_events WHERE task_id LIKE '%first_review%'"))
    assert (kinds["opened"], kinds["claimed"], kinds["decided"]) == (1, 1, 1)


def test_what_an_applicant_writes_is_text(served: Served, visit: Callable[[Story], None]) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    served.apply(evil, "app-1", device='"><svg onload=alert(3)>')

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li.wei")
        await expect(page.get_by_role("link", name=evil)).to_be_visible()
        await opened(page, evil)
        await expect(page.get_by_text('"><svg onload=alert(3)>')).to_be_visible()
        assert await page.locator("main img, main script, main svg").count() == 0
        await page.keyboard.press("c")
        note = "<b>bold</b><script>alert(4)</script>"
        await page.get_by_label("A note for colleagues").fill(note)
        await page.get_by_role("button", name="Keep the note").click()
        await expect(page.get_by_text(note)).to_be_visible()
        assert await page.evaluate("document.cookie") == "", "no script reads the session"

    visit(story)


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_and_is_labelled(served: Served, visit: Callable[[Story], None], width: int) -> None:
    served.apply("Wang Xiaoming of a name that goes on and on and on without an end in sight", "app-" + "1" * 60)
    served.apply("Jane", "app-2")

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li.wei", viewport={"width": width, "height": 800}, color_scheme="dark" if width == 390 else "light")
        await page.reload()
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await browsing.fits(page)
        await opened(page, "Wang")
        await browsing.fits(page)
        await page.keyboard.press("c")
        await page.get_by_role("radio", name="Reject").check()
        await page.get_by_role("button", name="Record").click()
        await expect(page.get_by_role("alert")).to_contain_text("reason")
        await expect(page.get_by_role("radio", name="Reject")).to_be_checked()
        await browsing.fits(page)
        await page.goto(served.url + "/approval/desk/tasks/none")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
        await browsing.fits(page)

    visit(story)


def test_returned_for_supplement_the_applicant_is_asked(served: Served, visit: Callable[[Story], None]) -> None:
    served.apply("Jane", "app-1")

    async def story(visitors: Visitors) -> None:
        page = await visitors.person("li.wei")
        await opened(page, "Jane")
        await page.keyboard.press("c")
        await page.get_by_role("radio", name="Return").check()
        await page.get_by_label("Reason to return").select_option("income_proof")
        await page.get_by_label("In your words").fill("the last three pay slips")
        await page.get_by_role("button", name="Record").click()
        await expect(page.get_by_role("status")).to_contain_text("First review of app-1: returned")

    visit(story)
    assert served.judged("app-1") == [("first_review", "li.wei", "return")]
    assert (served.case("app-1")["status"], served.case("app-1")["stage"]) == ("waiting", "supplement")
