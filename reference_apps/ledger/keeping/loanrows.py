"""Loans and repayments as rows of the journal: what a loan was opened with, and what was paid. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from reference_apps.ledger.loans import product
from reference_apps.ledger.loans.allocation import Component, Part
from reference_apps.ledger.loans.loan import Loan, Repayment, Terms
from reference_apps.ledger.loans.schedule import Instalment


def to_row(loan: Loan) -> dict[str, Any]:
    """Return a loan as it was opened, JSON-ready."""
    terms = asdict(loan.terms) | {"annual_rate": str(loan.terms.annual_rate), "disbursed_on": loan.terms.disbursed_on.isoformat()}
    terms["product"] = product.to_row(loan.terms.product)
    if not terms["product"]:
        del terms["product"]
    lines = [[line.due_on.isoformat(), line.principal_fen, line.interest_fen] for line in loan.schedule]
    return {"id": loan.id, "number": loan.number, "terms": terms, "schedule": lines}


def from_row(row: Mapping[str, Any]) -> Loan:
    """Return the loan that `to_row` wrote."""
    terms = row["terms"]
    read = {"annual_rate": Decimal(terms["annual_rate"]), "disbursed_on": date.fromisoformat(terms["disbursed_on"])}
    agreed = Terms(**(terms | read | {"product": product.from_row(terms.get("product", {}))}))
    lines = tuple(
        Instalment(number=number, due_on=date.fromisoformat(due), principal_fen=principal, interest_fen=interest)
        for number, (due, principal, interest) in enumerate(row["schedule"], 1)
    )
    return Loan(id=row["id"], number=row["number"], terms=agreed, schedule=lines)


def repayment_to_row(repayment: Repayment) -> dict[str, Any]:
    """Return a repayment, JSON-ready."""
    parts = [[part.number, str(part.component), part.amount_fen] for part in repayment.parts]
    return asdict(repayment) | {"paid_on": repayment.paid_on.isoformat(), "parts": parts}


def repayment_from_row(row: Mapping[str, Any]) -> Repayment:
    """Return the repayment that `repayment_to_row` wrote."""
    parts = tuple(Part(number, Component(component), amount) for number, component, amount in row["parts"])
    return Repayment(**(dict(row) | {"paid_on": date.fromisoformat(row["paid_on"]), "parts": parts}))
