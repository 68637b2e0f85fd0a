"""What each break means and what to do about it, in sentences for the person who has to act. Pure."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from reference_apps.ledger.closing.movement import Direction, Movement, yuan
from reference_apps.ledger.closing.reconcile import Item, Kind

STOP = "stop: our own books contradict each other; run verify and replay, then call the ledger's owner"


class Said(NamedTuple):
    """What is wrong, and what to do."""

    what: str
    remedy: str


def of(item: Item) -> Said:
    """Return what an item means; nothing is to be done about one that matches."""
    return SAYING[item.kind](item)


def _matched(item: Item) -> Said:
    by = "" if item.by == "reference" else f", found by {item.by}"
    return Said(f"{_shown(item.bank)} on all three sides{by}", "")


def _amount_differs(item: Item) -> Said:
    ours = item.ledger if item.ledger and item.loans and item.ledger.net_fen == item.loans.net_fen else None
    if item.bank and ours:
        said = f"the bank moved {_fen(item.bank)}, our books have {_fen(ours)}: {yuan(item.bank.net_fen - ours.net_fen, '')} too much in the bank's file"
        if item.bank.currency != ours.currency:
            said = f"the bank moved {_fen(item.bank)}, our books have {_fen(ours)}: another currency"
        return Said(said, "compare the payment's voucher; reverse our posting and book the right amount, or claim the difference from the bank")
    told = (("bank", item.bank), ("ledger", item.ledger), ("loans", item.loans))
    sides = ", ".join(f"{name} {_fen(each)}" for name, each in told if each)
    return Said(f"ledger and loans disagree on one event: {sides}", STOP)


def _wrong_day(item: Item) -> Said:
    if not (item.bank and item.booked):
        return Said("on the wrong day", "")
    apart = (item.bank.on - item.booked.on).days
    said = f"{_fen(item.bank)}: the bank's day is {item.bank.on}, ours is {item.booked.on}, {abs(apart)} days {'earlier' if apart > 0 else 'later'}"
    return Said(said, "if the customer paid on the bank's day, reverse the payment and enter it for that day, so that interest and penalty follow")


def _missing_in_bank(item: Item) -> Said:
    said = f"our books have {_shown(item.booked)}, the bank's file does not"
    way = "ask the channel where the money is" if item.booked and item.booked.direction is Direction.IN else "ask the bank whether the payment went out"
    return Said(said, f"look for it in the next day's file; if it is not there either, {way} and reverse our posting if there is none")


def _missing_in_ledger(item: Item) -> Said:
    if item.loans:
        said = f"{item.loans.place} says {_shown(item.loans)}, the bank account in the ledger has no such posting"
        return Said(said, STOP)
    came = item.bank is not None and item.bank.direction is Direction.IN
    way = "book it as a repayment of its loan" if came else "find out who ordered it, and claim it back if nobody did"
    return Said(f"the bank moved {_shown(item.bank)}, our books have nothing like it", way)


def _missing_in_loans(item: Item) -> Said:
    said = f"the ledger has {_shown(item.ledger)} on the bank account, and it belongs to no loan"
    if item.ledger and item.ledger.loan:
        said = f"the ledger has {_shown(item.ledger)} on the bank account, its loan {item.ledger.loan} knows nothing of it"
    return Said(said, STOP)


def _duplicate(item: Item) -> Said:
    return Said(f"the bank moved {_shown(item.bank)} a second time, the first is {item.twin}", "ask the bank; if the money really moved twice, pay one back")


def _unknown_loan(item: Item) -> Said:
    if item.ledger:
        said = f"the ledger has {_shown(item.ledger)} for {item.ledger.loan}, which is no loan of ours"
        return Said(said, STOP)
    named = ", ".join(item.bank.references) if item.bank else ""
    return Said(f"the bank moved {_shown(item.bank)} for {named}, which is no loan of ours", "find out whose money it is; until then it belongs to suspense")


SAYING: Mapping[Kind, Callable[[Item], Said]] = {
    Kind.MATCHED: _matched,
    Kind.AMOUNT_DIFFERS: _amount_differs,
    Kind.WRONG_DAY: _wrong_day,
    Kind.MISSING_IN_BANK: _missing_in_bank,
    Kind.MISSING_IN_LEDGER: _missing_in_ledger,
    Kind.MISSING_IN_LOANS: _missing_in_loans,
    Kind.DUPLICATE: _duplicate,
    Kind.UNKNOWN_LOAN: _unknown_loan,
}


def _fen(movement: Movement) -> str:
    return f"{yuan(movement.amount_fen, movement.currency)} {movement.direction}"


def _shown(movement: Movement | None) -> str:
    return f"{_fen(movement)} on {movement.on}" if movement else "nothing"
