"""What the operator's commands show: the verdict first, amounts in yuan that stand under each other, at most 100 columns. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reference_apps.ledger.closing.movement import yuan

Json = Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> list[str]:
    """Return lines whose columns stand under each other; those in `right` are aligned to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    return [
        "  ".join(cell.rjust(width) if at in right else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def trial_balance(body: Json) -> str:
    """Return the trial balance: does it balance, the totals by code, the accounts, and the control accounts against the loans."""
    verdict = "the books balance" if body["balanced"] else "THE BOOKS DO NOT BALANCE"
    lines = [f"{verdict}: {body['loans']:,} loans, {body['transfers']:,} transfers, {body['through']}", ""]
    rows = [(row["id"], _words(row["name"]), yuan(row["debits_fen"], ""), yuan(row["credits_fen"], ""), _balance(row)) for row in body["accounts"]]
    for row in body["ledgers"]:
        rows.append(("", f"total {row['currency']}", yuan(row["debits_fen"], ""), yuan(row["credits_fen"], ""), yuan(row["difference_fen"], "")))
    lines += [*table(("ledger", "code", "accounts", "debits", "credits", "balance"), [_code(row) for row in body["codes"]], frozenset({1, 2, 3, 4, 5})), ""]
    lines += [*table(("account", "", "debits", "credits", "balance"), rows, frozenset({2, 3, 4})), *_more(body)]
    told = [(_words(row["account"]), *(yuan(row[f"{name}_fen"], "") for name in ("loans", "control", "difference"))) for row in body["controls"]]
    return "\n".join([*lines, "", *table(("control account", "loans say", "account says", "difference"), told, frozenset({1, 2, 3}))]) + "\n"


def _code(row: Json) -> Sequence[str]:
    return str(row["ledger"]), str(row["code"]), f"{row['accounts']:,}", yuan(row["debits_fen"], ""), yuan(row["credits_fen"], ""), _balance(row)


def _balance(row: Json) -> str:
    net = row["debits_fen"] - row["credits_fen"]
    return f"{yuan(abs(net), '')} {'Cr' if net < 0 else 'Dr'}"


def account_statement(page: Json) -> str:
    """Return an account's statement: what it stood at, every posting, what it stands at."""
    name = " ".join(part for part in (page["account_id"], _words(page["name"])) if part)
    lines = [f"Account {name}, {page['currency']}, {page['from']} to {page['to']}: {page['turnover']['postings']:,} postings", ""]
    rows = [("", "brought forward", "", "", "", _side(page["brought_forward"]))]
    for line in page["lines"]:
        amounts = ("" if not line[f"{side}_fen"] else yuan(line[f"{side}_fen"], "") for side in ("debit", "credit"))
        rows.append((line["day"], _words(line["what"]), _words(line["other_account"]) or line["other_account_id"], *amounts, _side(line)))
    last = "carried forward" if page["next"] else "closing balance"
    rows.append(("", last, "", "", "", _side(page["lines"][-1] if page["lines"] else page["brought_forward"])))
    return "\n".join([*lines, *table(("day", "what", "other account", "debit", "credit", "balance"), rows, frozenset({3, 4, 5})), *_more(page)]) + "\n"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _side(row: Json) -> str:
    return f"{yuan(row['balance_fen'], '')} {'Cr' if row['side'] == 'credit' else 'Dr'}"


def loan_statement(page: Json) -> str:
    """Return a loan's statement: what was charged, what was paid, what is owed after it."""
    lines = [f"Loan {page['loan_id']} of {page['customer']}, {page['currency']}, {page['from']} to {page['to']}", ""]
    rows = [("", "brought forward", "", "", yuan(page["brought_forward"]["balance_fen"], ""))]
    for line in page["lines"]:
        what = _words(line["what"]) + (f", reversed by number {line['reversed_by']}" if line["reversed_by"] else "")
        amounts = ("" if not line[f"{side}_fen"] else yuan(line[f"{side}_fen"], "") for side in ("debit", "credit"))
        rows.append((line["on"], what, *amounts, yuan(line["balance_fen"], "")))
    last = page["lines"][-1] if page["lines"] else page["brought_forward"]
    rows.append(("", "carried forward" if page["next"] else "owed", "", "", yuan(last["balance_fen"], "")))
    return "\n".join([*lines, *table(("day", "what", "charged", "paid", "balance"), rows, frozenset({2, 3, 4})), *_more(page)]) + "\n"


def _more(page: Json) -> list[str]:
    return ["", f"more follows: --after {page['next']}"] if page["next"] else []


def verified(body: Json) -> str:
    return f"the chain is whole: {body['records']:,} records, newest {body['head'][:12]}\n"


def replayed(body: Json) -> str:
    """Return what a replay has shown."""
    verdict = "the replayed books agree with themselves" if body["ok"] else "THE REPLAYED BOOKS DISAGREE"
    counts = ", ".join(f"{body[name]:,} {name}" for name in ("records", "accounts", "transfers", "loans", "days ended"))
    told = [(_words(row["account"]), *(yuan(row[f"{name}_fen"], "") for name in ("loans", "control", "difference"))) for row in body["controls"]]
    shown = table(("control account", "loans say", "account says", "difference"), told, frozenset({1, 2, 3}))
    return "\n".join([f"{verdict}: {counts}", f"newest record {body['head'][:12]}, replayed in {body['took_s']:.1f} s", "", *shown]) + "\n"
