"""What belongs to the loans: their control accounts, which no request moves by itself, and the numbers of the chart, which no request opens."""

from collections.abc import Sequence

import numpy as np

from ctl.kit.problem import Problem
from reference_apps.ledger.algebra.layout import ACCOUNT, Batch
from reference_apps.ledger.algebra.model import Account, Transfer
from reference_apps.ledger.books import Books
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Control

CONTROL_IDS = frozenset(int(control) for control in Control)
CONTROL = np.array(sorted(CONTROL_IDS), np.uint64)
SIDES = ("debit_account_id", "credit_account_id")


def refuse_few(books: Books, events: Sequence[Account | Transfer]) -> None:
    """Raise Problem (422) at the first event that moves a control account, or opens an account that the chart may come to need."""
    for index, event in enumerate(events):
        if isinstance(event, Account):
            _refuse_opening(books, index, event.id)
            continue
        for account_id in CONTROL_IDS & {event.debit_account_id, event.credit_account_id}:
            _refuse_moving(books, index, account_id)


def refuse_many(books: Books, events: Batch) -> None:
    """Do the same with records."""
    if events.dtype == ACCOUNT:
        low, high = chart.RESERVED.start, chart.RESERVED.stop
        found = np.flatnonzero((events["id"] >= low) & (events["id"] < high) & (events["id_hi"] == 0))
        for index in found.tolist():
            _refuse_opening(books, index, int(events["id"][index]))
        return
    named = [np.isin(events[name], CONTROL) & (events[f"{name}_hi"] == 0) for name in SIDES]
    for index in np.flatnonzero(named[0] | named[1]).tolist():
        for side, is_named in zip(SIDES, named, strict=True):
            if is_named[index]:
                _refuse_moving(books, index, int(events[side][index]))


def _refuse_opening(books: Books, index: int, account_id: int) -> None:
    """An account that was opened under such a number before it was reserved stays, and may be sent again."""
    if account_id in chart.RESERVED and books.accounts.get(account_id) is None:
        numbers = f"{chart.RESERVED.start} to {chart.RESERVED.stop - 1}"
        detail = f"{index}: id: {account_id} is one of the numbers {numbers}, which are kept for the loans' chart of accounts"
        raise Problem(422, "reserved_account", detail, remedy="open it under another id; nothing was changed")


def _refuse_moving(books: Books, index: int, account_id: int) -> None:
    """The loans' control accounts move with a loan or not at all, else the loans would no longer add up to them."""
    if not chart.taken(books.accounts.get(account_id), Control(account_id)):
        detail = f"{index}: account {account_id} ({chart.name(account_id)}) is a control account of the loans"
        raise Problem(422, "control_account", detail, remedy="use POST /v1/loans or /v1/loans/{id}/repayments")
