"""The chart of accounts of the consumer loan product: which account is debited and credited by which business event. Pure."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from reference_apps.ledger.algebra.model import Account, AccountFlag
from reference_apps.ledger.loans.allocation import Component

CURRENCIES: Mapping[str, int] = {"CNY": 156}
"""Ledger number of each currency we keep books in (ISO 4217 numeric codes)."""


RESERVED = range(1_000, 10_000)
"""Numbers of accounts that are the chart's, now or later: nobody else may open one."""


class Control(IntEnum):
    """The control accounts; the number is the account's id and its code."""

    BANK = 1001
    PRINCIPAL = 1101
    INTEREST_RECEIVABLE = 1102
    FEE_RECEIVABLE = 1103
    PENALTY_RECEIVABLE = 1104
    OVERPAYMENT = 2101
    SUSPENSE = 2102
    INTEREST_INCOME = 4101
    FEE_INCOME = 4102
    PENALTY_INCOME = 4103
    RECOVERY_INCOME = 4104
    WRITE_OFF = 5101


class Business(IntEnum):
    """Why money moves; the number is the transfer's code."""

    DISBURSE = 1
    ACCRUE_INTEREST = 2
    REPAY = 3
    CHARGE_FEE = 4
    CHARGE_PENALTY = 5
    SETTLE = 6
    REFUND = 7
    PAY_BACK = 8
    WRITE_OFF = 9
    RECOVER = 10
    CHARGE_BACK = 11
    REALLOCATE = 12
    UNDO = 13


RECEIVABLE: Mapping[Component, Control] = {
    Component.PENALTY: Control.PENALTY_RECEIVABLE,
    Component.FEE: Control.FEE_RECEIVABLE,
    Component.INTEREST: Control.INTEREST_RECEIVABLE,
    Component.PRINCIPAL: Control.PRINCIPAL,
}
LIMITS: Mapping[Control, AccountFlag] = {
    Control.PRINCIPAL: AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS,
    Control.INTEREST_RECEIVABLE: AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS,
    Control.FEE_RECEIVABLE: AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS,
    Control.PENALTY_RECEIVABLE: AccountFlag.CREDITS_MUST_NOT_EXCEED_DEBITS,
    Control.OVERPAYMENT: AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS,
}


EARNING: Mapping[Business, tuple[Control, Control]] = {
    Business.ACCRUE_INTEREST: (Control.INTEREST_RECEIVABLE, Control.INTEREST_INCOME),
    Business.CHARGE_FEE: (Control.FEE_RECEIVABLE, Control.FEE_INCOME),
    Business.CHARGE_PENALTY: (Control.PENALTY_RECEIVABLE, Control.PENALTY_INCOME),
}
"""What is debited and credited when something is earned; the other way round when it is taken back, under the same code."""


class Movement(NamedTuple):
    """Money that an event moves: `label` is its own within the event."""

    label: str
    business: Business
    debit: Control
    credit: Control
    amount_fen: int


def accounts() -> tuple[Account, ...]:
    """Return the control accounts as they are opened in new books: receivables never go below zero, nor does what we owe."""
    ledger = CURRENCIES["CNY"]
    return tuple(Account(id=int(control), ledger=ledger, code=int(control), flags=int(LIMITS.get(control, 0))) for control in Control)


def taken(account: Account | None, control: Control) -> bool:
    """Return whether somebody else has opened an account under the number of a control account, before that was refused."""
    return account is not None and (account.code != int(control) or account.ledger not in CURRENCIES.values())


def name(account_id: int) -> str:
    """Return a control account's name in words; empty for any other account."""
    return Control(account_id).name.lower() if account_id in set(Control) else ""
