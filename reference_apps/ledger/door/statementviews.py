"""Statements as JSON and as CSV: amounts in fen, the currency named, every line with the balance after it. Pure."""

from collections.abc import Iterator

from reference_apps.ledger import businessday
from reference_apps.ledger.algebra.model import Account
from reference_apps.ledger.closing import accountstatement, loanstatement, plaincsv
from reference_apps.ledger.closing.accountstatement import Balance
from reference_apps.ledger.closing.loanstatement import Owed
from reference_apps.ledger.door.views import Json
from reference_apps.ledger.loans import chart
from reference_apps.ledger.loans.chart import Business
from reference_apps.ledger.loans.loan import Loan

BUSINESSES = {int(business): business.name.lower() for business in Business}


def account(value: Account, statement: accountstatement.Statement) -> Json:
    """Return a page of an account's statement; `next` is the timestamp to go on after."""
    turnover = accountstatement.turnover(statement)
    return {
        "account_id": str(value.id),
        "name": chart.name(value.id),
        "currency": currency(value.ledger),
        "from": statement.begin.isoformat(),
        "to": statement.end.isoformat(),
        "opening": _balance(statement.opening),
        "brought_forward": _balance(statement.brought),
        "lines": [_posting(line) for line in statement.lines],
        "closing": _balance(statement.closing),
        "turnover": {"debits_fen": turnover.debits_fen, "credits_fen": turnover.credits_fen, "postings": statement.postings},
        "next": statement.lines[-1].transfer.timestamp if statement.more else None,
    }


def currency(ledger: int) -> str:
    """Return the currency of a ledger number; the number itself where we know no name."""
    return next((name for name, number in chart.CURRENCIES.items() if number == ledger), str(ledger))


def _balance(balance: Balance) -> Json:
    return {"debits_fen": balance.debits_fen, "credits_fen": balance.credits_fen, "balance_fen": balance.balance_fen, "side": balance.side}


def _posting(line: accountstatement.Line) -> Json:
    transfer = line.transfer
    return {
        "day": businessday.day_of(transfer.timestamp).isoformat(),
        "at": businessday.moment(transfer.timestamp),
        "transfer_id": str(transfer.id),
        "what": BUSINESSES.get(transfer.code, str(transfer.code)) if chart.name(line.other_account_id) else str(transfer.code),
        "other_account_id": str(line.other_account_id),
        "other_account": chart.name(line.other_account_id),
        "loan_number": transfer.user_data_64,
        "debit_fen": line.debit_fen,
        "credit_fen": line.credit_fen,
        "balance_fen": line.balance.balance_fen,
        "side": line.balance.side,
    }


POSTING = ("day", "at", "transfer_id", "what", "other_account_id", "other_account", "loan_number", "debit_fen", "credit_fen", "balance_fen", "side")


def account_csv(page: Json) -> str:
    """Return a page as CSV: what was brought forward, the lines, what they come to."""
    return plaincsv.write((*POSTING, "currency"), _account_rows(page))


def _account_rows(page: Json) -> Iterator[list[str | int]]:
    brought, last = page["brought_forward"], page["lines"][-1] if page["lines"] else page["brought_forward"]
    yield ["", "", "", "brought forward", "", "", "", "", "", brought["balance_fen"], brought["side"], page["currency"]]
    for line in page["lines"]:
        yield [*(line[name] for name in POSTING), page["currency"]]
    yield ["", "", "", "carried forward" if page["next"] else "closing balance", "", "", "", "", "", last["balance_fen"], last["side"], page["currency"]]


def loan(value: Loan, statement: loanstatement.Statement, after: int, limit: int) -> Json:
    """Return a page of a loan's statement; a line's `line` is its place, and the last one is where to go on after."""
    shown = statement.lines[after : after + limit]
    brought = statement.lines[after - 1].owed if 0 < after <= len(statement.lines) else statement.opening
    return {
        "loan_id": value.id,
        "customer": value.terms.customer,
        "currency": value.terms.currency,
        "from": statement.begin.isoformat(),
        "to": statement.end.isoformat(),
        "opening": _owed(statement.opening),
        "brought_forward": _owed(brought),
        "lines": [_line(place, line) for place, line in enumerate(shown, after + 1)],
        "closing": _owed(statement.closing),
        "charged_fen": sum(line.debit_fen for line in statement.lines),
        "paid_fen": sum(line.credit_fen for line in statement.lines),
        "next": after + limit if after + limit < len(statement.lines) else None,
    }


def _owed(owed: Owed) -> Json:
    return {f"{name}_fen": fen for name, fen in owed._asdict().items()} | {"balance_fen": owed.balance_fen}


def _line(place: int, line: loanstatement.Line) -> Json:
    told = {"line": place, "on": line.on.isoformat(), "what": line.kind, "number": line.number, "reversed_by": line.reversed_by}
    return told | {"debit_fen": line.debit_fen, "credit_fen": line.credit_fen} | _owed(line.owed)


LOAN_LINE = ("line", "on", "what", "number", "reversed_by", "debit_fen", "credit_fen", *(f"{name}_fen" for name in Owed._fields), "balance_fen")


def loan_csv(page: Json) -> str:
    """Return a page as CSV: what was brought forward, the lines, what they come to."""
    return plaincsv.write((*LOAN_LINE, "currency"), _loan_rows(page))


def _loan_rows(page: Json) -> Iterator[list[str | int]]:
    amounts = LOAN_LINE[7:]
    brought, last = page["brought_forward"], page["lines"][-1] if page["lines"] else page["brought_forward"]
    yield ["", "", "brought forward", "", "", "", "", *(brought[name] for name in amounts), page["currency"]]
    for line in page["lines"]:
        yield [*(line[name] for name in LOAN_LINE), page["currency"]]
    yield ["", "", "carried forward" if page["next"] else "closing balance", "", "", "", "", *(last[name] for name in amounts), page["currency"]]
