"""The ledger's values as JSON: money in fen, rates as decimal text, ids of 128 bits as text. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reference_apps.ledger.algebra.model import Account, Result, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.closing import dayreport, subledger, trialbalance
from reference_apps.ledger.closing.subledger import Check
from reference_apps.ledger.closing.trialbalance import Total, TrialBalance
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control

Json = dict[str, Any]
MOST_LEARNT, MOST_ACCOUNTS = 100_000, 100
WIDE = ("id", "debit_account_id", "credit_account_id", "pending_id", "closed_by", "user_data_128")


def account(value: Account) -> Json:
    return _texts(asdict(value)) | {"closed": value.closed, "name": chart.name(value.id)}


def transfer(books: Books, value: Transfer) -> Json:
    """Return a transfer; `state` says what became of a pending one, and is None for every other."""
    names = {"debit_account": chart.name(value.debit_account_id), "credit_account": chart.name(value.credit_account_id)}
    return _texts(asdict(value)) | names | {"state": books.pendings.get(value.id)}


def results(values: Sequence[Result]) -> Json:
    return {"results": [{"index": index, "status": str(value.status), "timestamp": value.timestamp} for index, value in enumerate(values)]}


def trial_balance(books: Books, limit: int = MOST_ACCOUNTS, after: int = 0) -> Json:
    """Work the trial balance out at once. What the columns do not know of the loans yet is learnt."""
    while not subledger.learn(books, MOST_LEARNT):
        pass
    return balance_page(trialbalance.of(books), books.tables.accounts.page(after, limit), limit)


def balance_page(made: TrialBalance, accounts: Sequence[Account], limit: int) -> Json:
    """Return a trial balance with a page of the accounts, these as they are now; `next` is the id to go on after."""
    ledgers = made.by_ledger()
    return {
        "balanced": all(each.is_even for each in ledgers.values()) and not any(each.difference_fen for each in made.controls),
        "loans": made.loans,
        "transfers": made.transfers,
        "ledgers": [_ledger(number, each) for number, each in ledgers.items()],
        "subledger": _principal(made.controls),
        "controls": dayreport.control_rows(made.controls),
        "codes": [{"ledger": ledger, "code": code, **asdict(each)} for (ledger, code), each in sorted(made.by_code.items())],
        "accounts": [_balance(each) for each in accounts],
        "next": str(accounts[-1].id) if len(accounts) == limit else None,
    }


def _balance(value: Account) -> Json:
    moved = {"debits_fen": value.debits_posted, "credits_fen": value.credits_posted}
    reserved = {"reserved_debits_fen": value.debits_pending, "reserved_credits_fen": value.credits_pending}
    return {"id": str(value.id), "name": chart.name(value.id), "ledger": value.ledger} | moved | reserved


def _ledger(number: int, total: Total) -> Json:
    currency = next((name for name, ledger in chart.CURRENCIES.items() if ledger == number), "")
    difference = total.debits_fen - total.credits_fen
    return {"ledger": number, "currency": currency, "debits_fen": total.debits_fen, "credits_fen": total.credits_fen, "difference_fen": difference}


def _principal(controls: Sequence[Check]) -> Json:
    """Return the principal that the loans themselves say is in the books, beside the principal account."""
    check = next(each for each in controls if each.control is Control.PRINCIPAL)
    return {"loans_principal_fen": check.loans_fen, "control_principal_fen": check.control_fen, "difference_fen": check.difference_fen}


def _texts(row: Json) -> Json:
    return row | {name: str(row[name]) for name in WIDE if name in row}
