"""What was answered is in the books once, whatever kills the ledger: a death at any moment, a disk that is full, a clock that jumps back."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.door import web
from reference_apps.ledger.keeping.desk import Desk
from tests.apps import ledger_crash
from tests.apps.conftest import ask_asgi
from tests.apps.ledger_work import books_of, on_desk, pay_out

ROOT = Path(__file__).parents[2]
SEEDS, PART = 200, 50
CLEAN = {"refused": [], "lost": [], "torn": [], "again_refused": [], "incomplete": [], "loans": 0, "balanced": True}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_killed_at_any_moment_nothing_answered_is_lost_and_nothing_is_torn(tmp_path: Path, first: int) -> None:
    deaths = _deaths(tmp_path, first, PART)
    assert [death["seed"] for death in deaths] == list(range(first, first + PART))
    for death in deaths:
        assert death.items() >= CLEAN.items(), death
    assert any(death["answered"] for death in deaths)
    assert any(death["unanswered_there"] for death in deaths), "some died between the disk and the answer"


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_killed_two_thousand_times(tmp_path: Path) -> None:
    for death in _deaths(tmp_path, 10_000, 2_000):
        assert death.items() >= CLEAN.items(), death


def _deaths(folder: Path, first: int, count: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.apps.ledger_crash", str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=540 + count, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes. Only root can mount one; CI does."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False).returncode == 0
    if not mounted:
        if os.environ.get("CI"):
            pytest.fail("a small file system could not be mounted")
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_and_the_books_go_on_once_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_200_000)

    async def until_full(desk: Desk) -> list[int]:
        app, taken = web.build(desk), []
        await ledger_crash.open_accounts(app)
        for number, asked in enumerate(ledger_crash.work(7)):
            before = len(desk.books.loans.own)
            status = await ledger_crash.send(app, asked)
            if status not in (200, 201):
                assert (status, len(desk.books.loans.own)) == (503, before)
                break
            taken.append(number)
        assert await ledger_crash.send(app, asked) == 503, "still full"
        reply = await ask_asgi(app, "GET", "/v1/trial-balance")
        assert (reply.status, reply.body["balanced"]) == (200, True), "reading goes on"
        ballast.unlink()
        assert await ledger_crash.send(app, asked) in (200, 201), "there is room again"
        return [*taken, len(taken)]

    taken = on_desk(small_disk / "ledger.db", until_full)
    assert len(taken) > 3

    async def shares(desk: Desk) -> list[float]:
        return [ledger_crash.share(desk, asked) for asked, _ in zip(ledger_crash.work(7), taken, strict=False)]

    assert on_desk(small_disk / "ledger.db", shares) == [1.0] * len(taken)


def test_a_clock_that_jumps_back_keeps_the_order_and_expires_nothing_twice(tmp_path: Path) -> None:
    """Time of day goes back by a day and forth again: timestamps still grow, and what expired stays expired."""
    now = [1_800_000_000 * 10**9]
    day = 86_400 * 10**9

    async def story() -> list[int]:
        desk = Desk(tmp_path / "ledger.db", on_fenced=lambda: None, clock_ns=lambda: now[0])
        await desk.open()
        app, stamps = web.build(desk), []
        await ledger_crash.open_accounts(app)

        async def post(number: int, **more: Any) -> str:
            event = {"id": number, "debit_account_id": 50_000, "credit_account_id": 50_001, "amount": 10, "ledger": 156, "code": 1} | more
            reply = await ask_asgi(app, "POST", "/v1/transfers", [event])
            stamps.append(reply.body["results"][0]["timestamp"])
            return str(reply.body["results"][0]["status"])

        assert await post(1, flags=2, timeout=60) == "created"
        now[0] += 61 * 10**9
        assert await post(2) == "created"
        now[0] -= day
        assert await post(3) == "created"
        assert await post(4, pending_id=1, flags=4, amount=10) == "pending_transfer_expired"
        await pay_out(desk, 1)
        await desk.close()
        again = Desk(tmp_path / "ledger.db", on_fenced=lambda: None, clock_ns=lambda: now[0])
        await again.open()
        app = web.build(again)
        assert await post(5) == "created"
        now[0] += 2 * day
        assert await post(6) == "created"
        assert await post(2) == "exists"
        await again.close()
        return stamps

    stamps = asyncio.run(story())
    assert stamps[:6] == sorted(stamps[:6])
    assert len(set(stamps[:3] + stamps[4:6])) == 5
    assert stamps[-1] == stamps[1], "what exists has the time it was created at"
    assert len(on_desk(tmp_path / "ledger.db", books_of)) == 1
