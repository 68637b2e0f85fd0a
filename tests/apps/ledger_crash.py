"""A ledger that is killed at random moments under load, again and again: `python -m tests.apps.ledger_crash FOLDER FIRST COUNT` prints a line per seed.

One process loads the ledger once and forks it for every seed, so that two hundred deaths take seconds. What is sent is a function of the seed: the parent
knows what each answer vouches for, looks for it in the books afterwards, and sends everything again.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_apps.ledger.door import views, web
from reference_apps.ledger.keeping import journals
from reference_apps.ledger.keeping.desk import Desk
from tests.apps.conftest import ask_asgi

ACCOUNTS = range(50_000, 50_020)
AT_ONCE = 6
CHAIN, PENDING, POST = 1, 2, 4


@dataclass(frozen=True)
class Request:
    """One request of a seed's work, with the transfers that it stands for; `loan` is its key when it lends."""

    path: str
    body: Any
    transfers: tuple[int, ...] = ()
    loan: str = ""


def work(seed: int) -> Iterator[Request]:
    """Yield the requests of a seed, without an end: single postings, small and large batches, chains, reservations, loans."""
    dice, number = random.Random(seed), 0
    while True:
        kind = dice.choice(("single", "single", "batch", "large", "chain", "reserve", "loan"))
        first = 1_000_000 + number * 1_000
        number += 1
        match kind:
            case "single":
                yield _posted([_transfer(dice, first)])
            case "batch":
                yield _posted([_transfer(dice, first + each) for each in range(dice.randrange(2, 30))])
            case "large":
                yield _posted([_transfer(dice, first + each) for each in range(400)])
            case "chain":
                yield _posted([_transfer(dice, first + each) | {"flags": CHAIN if each < 3 else 0} for each in range(4)])
            case "reserve":
                reserved = _transfer(dice, first) | {"flags": PENDING}
                yield _posted([reserved, {"id": first + 1, "pending_id": first, "amount": reserved["amount"] // 2, "flags": POST}])
            case "loan":
                lent = {"reference": f"case-{number}", "customer": "c", "principal_fen": 10_000 + number, "annual_rate": "0.12", "periods": 3}
                yield Request("/v1/loans", lent, loan=f"key-{seed}-{number}")


def _posted(events: Sequence[dict[str, Any]]) -> Request:
    return Request("/v1/transfers", list(events), transfers=tuple(event["id"] for event in events))


def _transfer(dice: random.Random, number: int) -> dict[str, Any]:
    debit, credit = dice.sample(ACCOUNTS, 2)
    return {"id": number, "debit_account_id": debit, "credit_account_id": credit, "amount": number, "ledger": 156, "code": 7}


async def send(app: Any, asked: Request) -> int:
    """Send one request and return its status; a batch that was not taken is no 200. In a chain that is there already each event but one is undone."""
    headers = {"idempotency-key": asked.loan} if asked.loan else {}
    reply = await ask_asgi(app, "POST", asked.path, asked.body, headers)
    if asked.loan or reply.status != 200:
        return reply.status
    statuses = [each["status"] for each in reply.body["results"]]
    known = asked.body[0].get("flags") == CHAIN and statuses[0] == "exists"
    return 200 if known or set(statuses) <= {"created", "exists"} else 409


async def be_killed(place: Path, seed: int, told: int) -> None:
    """Work until the end comes, and say which requests were answered."""
    desk = Desk(place, on_fenced=lambda: None)
    await desk.open()
    app, requests = web.build(desk), enumerate(work(seed))
    await open_accounts(app)

    async def one_after_the_other() -> None:
        for number, asked in requests:
            os.write(told, f"{number} begun\n".encode())
            os.write(told, f"{number} {await send(app, asked)}\n".encode())

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


async def open_accounts(app: Any) -> None:
    """Open what the work moves money between; they may be open already."""
    opened = [{"id": number, "ledger": 156, "code": 1} for number in ACCOUNTS]
    reply = await ask_asgi(app, "POST", "/v1/accounts", opened)
    assert {each["status"] for each in reply.body["results"]} <= {"created", "exists"}


async def found(place: Path, seed: int, begun: int, answered: dict[int, int]) -> dict[str, Any]:
    """Look into the books after a death: `lost` and `torn` are requests that broke the promise; then send everything once more and count again."""
    desk = Desk(place, on_fenced=lambda: None)
    await desk.open()
    app, requests = web.build(desk), [asked for asked, _ in zip(work(seed), range(begun), strict=False)]
    there = [share(desk, asked) for asked in requests]
    await open_accounts(app)
    again = [await send(app, asked) for asked in requests]
    complete = [share(desk, asked) for asked in requests]
    result = {
        "seed": seed,
        "answered": len(answered),
        "refused": sorted(number for number, status in answered.items() if status not in (200, 201)),
        "lost": [number for number in answered if there[number] != 1.0],
        "torn": [number for number, share in enumerate(there) if share not in (0.0, 1.0)],
        "unanswered_there": sum(1 for number, share in enumerate(there) if share == 1.0 and number not in answered),
        "again_refused": [number for number, status in enumerate(again) if status not in (200, 201)],
        "incomplete": [number for number, share in enumerate(complete) if share != 1.0],
        "loans": len({asked.loan for asked in requests if asked.loan}) - len(desk.books.loans.own),
        "balanced": views.trial_balance(desk.books)["balanced"],
    }
    await desk.close()
    journals.verify(place)
    return result


def share(desk: Desk, asked: Request) -> float:
    """Return how much of a request is in the books: 1 all of it, 0 nothing."""
    if asked.loan:
        return float(any(loan.terms.reference == asked.body["reference"] for loan in desk.books.loans.own.values()))
    return sum(1 for number in asked.transfers if desk.books.transfers.get(number) is not None) / len(asked.transfers)


def die(folder: Path, seed: int) -> dict[str, Any]:
    """Fork a ledger, kill it after a random number of answers and a random moment more, and look at what it left."""
    dice, place = random.Random(-seed), folder / f"{seed}.db"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with contextlib.suppress(BaseException):
            asyncio.run(be_killed(place, seed, write))
        os._exit(1)
    os.close(write)
    said, wanted, moment_s = b"", dice.randrange(0, 40), dice.random() * 0.004
    while said.count(b" 20") < wanted and (more := os.read(read, 65_536)):
        said += more
    time.sleep(moment_s)
    os.kill(child, signal.SIGKILL)
    while more := os.read(read, 65_536):
        said += more
    os.close(read)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"seed {seed}: it had ended by itself"
    lines = [line.split() for line in said.decode().splitlines(keepends=True) if line.endswith("\n")]
    answered = {int(number): int(word) for number, word in lines if word != "begun"}
    begun = max((int(number) for number, _ in lines), default=-1) + 1
    return asyncio.run(found(place, seed, begun, answered))


if __name__ == "__main__":
    for each in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
        print(json.dumps(die(Path(sys.argv[1]), each)), flush=True)
