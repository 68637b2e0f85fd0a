"""Loans and what happened to them as rows of the journal: what a loan was opened with, and each event since. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from reference_apps.ledger.loans import product
from reference_apps.ledger.loans.allocation import Component
from reference_apps.ledger.loans.happening import Happening, Kind
from reference_apps.ledger.loans.loan import Loan, Terms
from reference_apps.ledger.loans.schedule import Instalment

LATER_TERMS = ("product", "first_due_on", "fee_fen")
"""Fields that the first loans did not have: left out where they say nothing."""


def to_row(loan: Loan) -> dict[str, Any]:
    """Return a loan as it was opened, JSON-ready."""
    terms = asdict(loan.terms) | {"annual_rate": str(loan.terms.annual_rate), "disbursed_on": loan.terms.disbursed_on.isoformat()}
    terms["product"] = product.to_row(loan.terms.product)
    terms["first_due_on"] = loan.terms.first_due_on.isoformat() if loan.terms.first_due_on else None
    lines = [[line.due_on.isoformat(), line.principal_fen, line.interest_fen] for line in loan.schedule]
    row = {"id": loan.id, "number": loan.number, "terms": {name: value for name, value in terms.items() if value or name not in LATER_TERMS}, "schedule": lines}
    return row | ({"paid_down": True} if loan.schedule[0].number == 0 else {})


def from_row(row: Mapping[str, Any]) -> Loan:
    """Return the loan that `to_row` wrote."""
    terms = row["terms"]
    read = {"annual_rate": Decimal(terms["annual_rate"]), "disbursed_on": date.fromisoformat(terms["disbursed_on"])}
    read |= {"first_due_on": _day(terms.get("first_due_on")), "product": product.from_row(terms.get("product", {}))}
    lines = tuple(
        Instalment(number=number, due_on=date.fromisoformat(due), principal_fen=principal, interest_fen=interest)
        for number, (due, principal, interest) in enumerate(row["schedule"], 0 if row.get("paid_down") else 1)
    )
    return Loan(id=row["id"], number=row["number"], terms=Terms(**(terms | read)), schedule=lines)


def happening_to_row(happening: Happening) -> dict[str, Any]:
    """Return a happening, JSON-ready; what says nothing is left out."""
    return {field.name: _plain(getattr(happening, field.name)) for field in fields(happening) if getattr(happening, field.name) != field.default}


def happening_from_row(row: Mapping[str, Any]) -> Happening:
    """Return the happening that `happening_to_row` wrote."""
    read: dict[str, Any] = {"kind": Kind(row["kind"]), "on": _day(row["on"]), "booked_on": _day(row["booked_on"]), "start_on": _day(row.get("start_on"))}
    component = row.get("component")
    return Happening(**(dict(row) | read | {"component": Component(component) if component else None}))


def repayment_from_row(row: Mapping[str, Any]) -> Happening:
    """Return a repayment of the time when a loan could only be repaid; how it was allocated follows from the loan."""
    paid_on = date.fromisoformat(row["paid_on"])
    return Happening(number=row["number"], kind=Kind.PAID, on=paid_on, booked_on=paid_on, amount_fen=row["amount_fen"])


def _plain(value: Any) -> Any:
    match value:
        case StrEnum():
            return str(value)
        case date():
            return value.isoformat()
        case _:
            return value


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
