"""The ledger's engine: durable transfers a second in process and over HTTP, the wait for a single posting, recovery, and ten million accounts.

Everything is real: a journal in a file that is synchronised, the ledger as its own process behind HTTP, memory and start as the system sees them.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import aiohttp
import numpy as np
import uvloop

from bench.daemon import resident_mb
from bench.load import Call, Load
from bench.report import Report, percentile
from reference_apps.ledger.algebra import layout
from reference_apps.ledger.algebra.layout import Batch
from reference_apps.ledger.keeping import frozen, snapshot
from reference_apps.ledger.keeping.bulkwork import Bulk, Created
from reference_apps.ledger.keeping.desk import Desk

BATCH, ACCOUNTS, LEDGER = 8_000, 100_000, 156
FIRST, FIRST_FUNDED = 10_000, 10_000 + ACCOUNTS // 2
"""Half the accounts may not be overdrawn: they get their money first."""
FUNDS, MOST = 10**12, 10**6
DEBITS_LIMITED = 2
ROUNDS, BATCHES, AT_ONCE = 3, 250, 2
HTTP_BATCHES, HTTP_CALLERS = 60, 2
SINGLE_RATE, SINGLE_S = 1_000.0, 10.0
MANY_ACCOUNTS = 10_000_000
START_S, READY_S = 60.0, 0.01


def run(report: Report) -> None:
    """Measure all five; goals are those of two cores, client included."""
    with tempfile.TemporaryDirectory(prefix="msxfctl-bench-") as folder:
        _in_process(report, Path(folder) / "engine")
        _over_http(report, Path(folder) / "http")
        _ten_million(report, Path(folder) / "many")


def _in_process(report: Report, folder: Path) -> None:
    speeds = uvloop.run(_durable(folder))
    report.at_least("ledger: durable transfers in process", max(speeds), 1_000_000, "transfers/s")
    report.note("ledger: the same, median round", percentile(speeds, 0.5), "transfers/s")
    report.note("ledger: journal", (folder / "ledger.db").stat().st_size / (ROUNDS * BATCHES * BATCH), "bytes/transfer")
    report.at_least("ledger: replayed and verified", max(uvloop.run(_replayed(folder)) for _ in range(ROUNDS)), 2_000_000, "transfers/s")


async def _durable(folder: Path) -> list[float]:
    """Send batches to a desk, a few at once, and return the speed of each round."""
    desk = Desk(folder / "ledger.db", on_fenced=lambda: None)
    await desk.open()
    await _fund(desk)
    speeds = []
    for number in range(ROUNDS):
        batches = [Bulk(_transfers(1 + (number * BATCHES + each) * BATCH)) for each in range(BATCHES)]
        began = perf_counter()
        await _send_all(desk, batches)
        speeds.append(BATCHES * BATCH / (perf_counter() - began))
    await desk.close()
    return speeds


async def _send_all(desk: Desk, batches: Sequence[Bulk]) -> None:
    waiting = iter(batches)

    async def send() -> None:
        for bulk in waiting:
            if not isinstance(await desk.submit_bulk(bulk), Created):
                raise AssertionError("a plain batch was not taken at once")

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))


async def _replayed(folder: Path) -> float:
    """Open the books from the whole journal and return how many transfers a second that makes."""
    desk = Desk(folder / "ledger.db", on_fenced=lambda: None)
    began = perf_counter()
    await desk.open()
    took = perf_counter() - began
    count = len(desk.books.tables.transfers)
    await desk.close()
    return count / took


async def _fund(desk: Desk) -> None:
    await _open_accounts(desk, FIRST, ACCOUNTS)
    funds = _events(layout.TRANSFER, BATCH)
    for begin in range(FIRST_FUNDED, FIRST + ACCOUNTS, BATCH):
        part = funds[: min(BATCH, FIRST + ACCOUNTS - begin)]
        part["id"], part["id_hi"] = np.arange(begin, begin + len(part)), 1
        part["debit_account_id"], part["credit_account_id"], part["amount"] = FIRST, np.arange(begin, begin + len(part)), FUNDS
        await desk.submit_bulk(Bulk(part.copy()))


async def _open_accounts(desk: Desk, first: int, count: int) -> None:
    for begin in range(first, first + count, BATCH):
        accounts = _events(layout.ACCOUNT, min(BATCH, first + count - begin))
        accounts["id"] = np.arange(begin, begin + len(accounts))
        accounts["flags"] = np.where(accounts["id"] >= FIRST_FUNDED, DEBITS_LIMITED, 0) if count == ACCOUNTS else 0
        if not isinstance(await desk.submit_bulk(Bulk(accounts)), Created):
            raise AssertionError("accounts were not opened at once")


def _events(dtype: np.dtype[np.void], count: int) -> Batch:
    events = np.zeros(count, dtype)
    events["ledger"], events["code"] = LEDGER, 1
    return events


def _transfers(first: int) -> Batch:
    """Return a batch between accounts at random, from those that have money, with ids and references of its own."""
    dice, events = np.random.default_rng(first), _events(layout.TRANSFER, BATCH)
    events["id"] = np.arange(first, first + BATCH)
    events["debit_account_id"] = dice.integers(FIRST_FUNDED, FIRST + ACCOUNTS, BATCH)
    events["credit_account_id"] = dice.integers(FIRST, FIRST_FUNDED, BATCH)
    events["amount"] = dice.integers(1, MOST, BATCH)
    events["user_data_64"] = dice.integers(0, 2**60, BATCH)
    return events


def _over_http(report: Report, folder: Path) -> None:
    with _service(folder) as port:
        uvloop.run(_post_all(port, "/v1/accounts", [_json(_account_batch(begin)) for begin in range(FIRST, FIRST + ACCOUNTS, BATCH)]))
        bodies = [_json(_transfers(1 + each * BATCH)) for each in range(HTTP_BATCHES)]
        took = uvloop.run(_post_all(port, "/v1/transfers", bodies))
        report.at_least("ledger: transfers over HTTP, 8,000 a request", HTTP_BATCHES * BATCH / took, 150_000, "transfers/s")
        calls = [_single(number) for number in range(int(1.2 * SINGLE_RATE * SINGLE_S))]
        load = Load(f"http://127.0.0.1:{port}", calls.__getitem__, SINGLE_RATE).start()
        sleep(SINGLE_S)
        tally = load.stop()
        if tally.failures or set(tally.statuses) != {200}:
            raise AssertionError(f"single postings failed: {tally.statuses} {tally.failures[:3]}")
        report.at_most("ledger: single posting at 1,000/s, p99", 1000 * percentile(tally.latencies_s, 0.99), 5, "ms")
        report.note("ledger: single posting at 1,000/s, median", 1000 * percentile(tally.latencies_s, 0.5), "ms")
        report.note("ledger: single postings answered", tally.answered / SINGLE_S, "requests/s")


def _account_batch(begin: int) -> Batch:
    accounts = _events(layout.ACCOUNT, min(BATCH, FIRST + ACCOUNTS - begin))
    accounts["id"] = np.arange(begin, begin + len(accounts))
    return accounts


def _json(events: Batch) -> bytes:
    """Return a batch as the body of a request."""
    names = [name for name in events.dtype.names or () if events[name].any()]
    return json.dumps([dict(zip(names, row, strict=True)) for row in events[names].tolist()]).encode()


async def _post_all(port: int, path: str, bodies: Sequence[bytes]) -> float:
    """Send the bodies over a few connections and return how long it took; every event must be created."""
    waiting, began = iter(bodies), perf_counter()
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}) as session:

        async def send() -> None:
            for body in waiting:
                async with session.post(f"http://127.0.0.1:{port}{path}", data=body) as answer:
                    said = await answer.read()
                    if answer.status != 200 or said.count(b'"created"') != said.count(b'"status"'):
                        raise AssertionError(f"{answer.status} {said[:300]!r}")

        await asyncio.gather(*(send() for _ in range(HTTP_CALLERS)))
    return perf_counter() - began


def _single(number: int) -> Call:
    event = {"id": str(2**100 + number), "debit_account_id": FIRST + number % ACCOUNTS, "credit_account_id": FIRST + (number + 1) % ACCOUNTS, "amount": 5}
    return Call("POST", "/v1/transfers", json.dumps([event | {"ledger": LEDGER, "code": 1}]).encode())


def _ten_million(report: Report, folder: Path) -> None:
    uvloop.run(_many(folder))
    with _service(folder, report) as port:
        body = [{"id": 1, "debit_account_id": FIRST, "credit_account_id": FIRST + MANY_ACCOUNTS - 1, "amount": 5, "ledger": LEDGER, "code": 1}]
        uvloop.run(_post_all(port, "/v1/transfers", [json.dumps(body).encode()]))


async def _many(folder: Path) -> None:
    """Open ten million accounts and write a snapshot of them."""
    desk = Desk(folder / "ledger.db", on_fenced=lambda: None)
    await desk.open()
    await _open_accounts(desk, FIRST, MANY_ACCOUNTS)
    snapshot.write(folder / "snapshots", frozen.freeze(desk.books, desk.head))
    await desk.close()


@contextmanager
def _service(folder: Path, report: Report | None = None) -> Iterator[int]:
    """Run the ledger as a process on the data in `folder`; with a report, say how long it took to start and what memory it has."""
    folder.mkdir(exist_ok=True)
    port, began = _free_port(), monotonic()
    log = (folder / "log").open("ab")
    process = subprocess.Popen([sys.executable, "-m", "reference_apps.ledger"], env=_environ(folder, port), stdout=log, stderr=log)
    try:
        _wait_ready(process, port, folder)
        if report:
            report.at_most("ledger: start from a snapshot of 10 M accounts", monotonic() - began, 10, "s")
            report.at_most("ledger: resident with 10 M accounts", resident_mb(process.pid), 2000, "MB")
        yield port
    finally:
        process.terminate()
        process.wait(START_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environ(folder: Path, port: int) -> dict[str, str]:
    names: dict[str, Any] = {"SERVICE": "ledger", "RELEASE": "1-bench", "INSTANCE": "ledger-1", "PORT": port, "DATA_DIR": folder, "GATEWAY": "http://127.0.0.1:1"}
    return dict(os.environ) | {f"MSXF_{name}": str(value) for name, value in names.items()}


def _wait_ready(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    deadline = monotonic() + START_S
    while True:
        if process.poll() is not None or monotonic() > deadline:
            raise ConnectionError(f"the ledger is not ready: {(folder / 'log').read_text()[-2000:]}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            sleep(READY_S)
