"""The ledger's values as JSON: money in fen, rates as decimal text, ids of 128 bits as text. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from reference_apps.ledger.algebra.model import Account, Result, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayreport, subledger
from reference_apps.ledger.closing.subledger import Check
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control

Json = dict[str, Any]
MOST_LEARNT = 100_000
WIDE = ("id", "debit_account_id", "credit_account_id", "pending_id", "closed_by", "user_data_128")


def account(value: Account) -> Json:
    return _texts(asdict(value)) | {"closed": value.closed, "name": chart.name(value.id)}


def transfer(books: Books, value: Transfer) -> Json:
    """Return a transfer; `state` says what became of a pending one, and is None for every other."""
    names = {"debit_account": chart.name(value.debit_account_id), "credit_account": chart.name(value.credit_account_id)}
    return _texts(asdict(value)) | names | {"state": books.pendings.get(value.id)}


def results(values: Sequence[Result]) -> Json:
    return {"results": [{"index": index, "status": str(value.status), "timestamp": value.timestamp} for index, value in enumerate(values)]}


def trial_balance(books: Books) -> Json:
    """Add up every account by ledger, and compare the loans with their control accounts. What the columns do not know yet is learnt."""
    accounts = list(books.tables.accounts.values())
    ledgers = [_ledger(number, [each for each in accounts if each.ledger == number]) for number in sorted({each.ledger for each in accounts})]
    while not subledger.learn(books, MOST_LEARNT):
        pass
    controls = subledger.checks(books)
    return {
        "balanced": all(row["difference_fen"] == 0 for row in ledgers) and _reserved_evenly(accounts) and not any(each.difference_fen for each in controls),
        "loans": len(books.loans.own),
        "transfers": len(books.tables.transfers),
        "ledgers": ledgers,
        "subledger": _principal(controls),
        "controls": dayreport.control_rows(controls),
        "accounts": [_balance(each) for each in accounts],
    }


def _balance(value: Account) -> Json:
    moved = {"debits_fen": value.debits_posted, "credits_fen": value.credits_posted}
    reserved = {"reserved_debits_fen": value.debits_pending, "reserved_credits_fen": value.credits_pending}
    return {"id": str(value.id), "name": chart.name(value.id), "ledger": value.ledger} | moved | reserved


def _ledger(number: int, accounts: Iterable[Account]) -> Json:
    rows = list(accounts)
    debits, credits = sum(each.debits_posted for each in rows), sum(each.credits_posted for each in rows)
    currency = next((name for name, ledger in chart.CURRENCIES.items() if ledger == number), "")
    return {"ledger": number, "currency": currency, "debits_fen": debits, "credits_fen": credits, "difference_fen": debits - credits}


def _reserved_evenly(accounts: Iterable[Account]) -> bool:
    """Whether what pending transfers reserve is the same on both sides, in every ledger."""
    reserved: Counter[int] = Counter()
    for each in accounts:
        reserved[each.ledger] += each.debits_pending - each.credits_pending
    return not any(reserved.values())


def _principal(controls: Sequence[Check]) -> Json:
    """Return the principal that the loans themselves say is in the books, beside the principal account."""
    check = next(each for each in controls if each.control is Control.PRINCIPAL)
    return {"loans_principal_fen": check.loans_fen, "control_principal_fen": check.control_fen, "difference_fen": check.difference_fen}


def _texts(row: Json) -> Json:
    return row | {name: str(row[name]) for name in WIDE if name in row}
