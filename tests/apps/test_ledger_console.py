"""The operator's commands: they read the journal beside the running writer, end a day through the service, and their exit status says what was found."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_apps.ledger.console import cli
from reference_apps.ledger.door import web
from tests.apps.test_ledger_dayend_web import EVE, LOAN, ended, lend, service

Screen = tuple[int, str, str]


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return status, output and errors of a command over the journal in tmp_path."""

    def say(*words: str, at: Path = tmp_path) -> Screen:
        capsys.readouterr()
        status = cli.run([*words, "--data-dir", str(at)] if words[0] not in ("day-end", "--help") else list(words))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return say


def test_all_that_looks_works_beside_the_writer(tmp_path: Path, said: Any) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, app):
            loans = await lend(ask, 2, disbursed_on="2026-10-27")
            await ask("POST", f"/v1/loans/{loans[0]}/repayments", {"amount_fen": 50_000, "paid_on": "2026-11-27"}, key="pay-1")
            await ended(ask, app, EVE)
            status, out, _ = said("trial-balance")
            assert (status, out.splitlines()[0]) == (0, "the books balance: 2 loans, 6 transfers, through record 7")
            assert "1101     principal            20,000.00     400.00  19,600.00 Dr" in out
            assert "156     1101         1  20,000.00     400.00  19,600.00 Dr" in out, "by ledger and code"
            status, out, _ = said("trial-balance", "-o", "json")
            assert (status, json.loads(out)["balanced"]) == (0, True)
            status, out, _ = said("trial-balance", "--limit", "2")
            assert (status, "1101     principal" in out, "1102     interest" in out, "more follows: --after 1101" in out) == (0, True, False, True)
            assert "more follows" not in said("trial-balance", "--limit", "50", "--after", "1101")[1]
            assert said("verify")[:2] == (0, f"the chain is whole: 7 records, newest {(await ask('GET', '/v1/journal/verify')).body['head'][:12]}\n")
            status, out, _ = said("replay")
            assert (status, out.splitlines()[0]) == (0, "the replayed books agree with themselves: 7 records, 12 accounts, 6 transfers, 2 loans, 1 days ended")
            over_http = (await ask("GET", f"/v1/loans/{loans[0]}/statement")).body
            assert json.loads(said("statement", "--loan", loans[0], "--to", "2026-11-28", "-o", "json")[1]) == over_http
            status, out, _ = said("statement", "--loan", loans[0], "--to", "2026-11-28")
            assert out.splitlines()[-2:] == [
                "2026-11-28  interest              2.79           9,602.79",
                "            owed                                 9,602.79",
            ]
            status, out, _ = said("statement", "--account", "1001", "--from", "2026-11-01", "--to", "2026-11-28", "--limit", "2")
            assert (status, "more follows: --after" in out) == (0, True)
            assert said("statement", "--account", "1001", "--to", "2026-11-28", "-o", "csv")[1].startswith("day,at,transfer_id,what")
            bank = tmp_path / "bank.csv"
            bank.write_text("date,reference,direction,amount,currency\n2026-11-27,pay-1,in,500.00,CNY\n")
            status, out, _ = said("reconcile", str(bank))
            assert (status, out.splitlines()[0]) == (0, "Reconciliation 2026-11-27: All three agree, 1 matched")
            status, out, _ = said("reconcile", str(bank), "--from", "2026-10-27", "-o", "json")
            assert (status, [each["kind"] for each in json.loads(out)["breaks"]]) == (8, ["missing_in_bank"] * 2), "both loans were paid out on that day"

    asyncio.run(story())


def test_what_is_wrong_ends_with_a_status_and_a_sentence(tmp_path: Path, said: Any) -> None:
    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, _):
            await lend(ask, 1)

    asyncio.run(story())
    bad = tmp_path / "bad.csv"
    bad.write_text("date,reference,direction,amount,currency\n2026-11-27,x,in,5,CNY\n")
    for words, status, complaint in (
        (("statement",), 2, "name either --account or --loan"),
        (("statement", "--account", "77"), 4, "there is no account 77"),
        (("statement", "--loan", "LN1"), 4, "there is no loan LN1"),
        (("statement", "--account", "1001", "--from", "2027-02-01", "--to", "2027-01-01"), 2, "is after"),
        (("reconcile", str(bad)), 2, "line 2: amount '5' is no amount in yuan"),
        (("reconcile", str(tmp_path / "none.csv")), 2, "No such file"),
        (("trial-balance", "-o", "xml"), 2, "is not one of"),
        (("trial-balance", "--after", str(2**128)), 2, "is not in the range"),
    ):
        found, _, errors = said(*words)
        assert (found, complaint in errors) == (status, True), (words, errors)
    assert said("verify", at=tmp_path / "elsewhere")[0] == 4
    assert not (tmp_path / "elsewhere").exists(), "looking creates nothing"
    assert said("day-end", "2026-11-27", "--server", "http://127.0.0.1:9")[0] == 5


def test_a_changed_record_is_found(tmp_path: Path, said: Any) -> None:
    import sqlite3

    async def story() -> None:
        async with service(tmp_path / "ledger.db") as (ask, _, _):
            await lend(ask, 2)

    asyncio.run(story())
    connection = sqlite3.connect(tmp_path / "ledger.db")
    connection.execute("UPDATE journal SET body = replace(body, 'mike', 'mick') WHERE seq = 2")
    connection.commit()
    connection.close()
    for command in ("verify", "replay", "trial-balance"):
        status, _, errors = said(command)
        assert (status, "record 2 was changed" in errors) == (8, True)


def test_a_day_ends_through_the_running_service(fleet: Any, tmp_path: Path, said: Any) -> None:
    """Today is the real one here: the service runs in a process of its own."""
    process = fleet.begin("ledger")
    fleet.ready(process)
    server, today = f"http://127.0.0.1:{process.port}", web.today()
    body = json.dumps(LOAN | {"disbursed_on": (today - timedelta(days=40)).isoformat()}).encode()
    lent = urllib.request.Request(f"{server}/v1/loans", data=body, headers={"content-type": "application/json", "idempotency-key": "k"})
    with urllib.request.urlopen(lent, timeout=10) as answer:
        assert answer.status == 201

    eve = today - timedelta(days=2)
    status, out, errors = said("day-end", eve.isoformat(), "--server", server)
    assert (status, out.splitlines()[0]) == (0, f"End of {eve}: done, the books agree"), errors
    status, out, _ = said("day-end", today.isoformat(), "--server", server, "-o", "json")
    assert (status, json.loads(out)["state"], json.loads(out)["day"]) == (0, "done", today.isoformat()), "the day between was caught up"
    assert said("day-end", eve.isoformat(), "--server", server, "--look")[0] == 0
    assert said("day-end", "2020-01-01", "--server", server)[0] == 3
    assert said("day-end", "2020-01-01", "--server", server, "--look")[0] == 4
    assert said("day-end", (today + timedelta(days=3)).isoformat(), "--server", server)[0] == 2
    command = [sys.executable, "-m", "reference_apps.ledger", "replay", "--data-dir", str(tmp_path / "ledger")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert (ran.returncode, "3 days ended" in ran.stdout) == (0, True), ran.stderr
