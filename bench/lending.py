"""Customers of the finance platform: who applies for loans through the gateway, and what must come of it."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from bench.load import Call

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer of the price table: what is known, and the limit (fen), annual rate and flow that must be offered."""

    name: str
    evidence: dict[str, Any]
    limit_fen: int
    annual_rate: str
    flow: str


SHOPPING = {"orders_12m": 40, "spend_12m_fen": 600_000}
MIKE = Customer(name="Mike", evidence={"zhima_score": 780, "pboc_record": "good"}, limit_fen=500_000, annual_rate="0.10", flow="fast")
JOHN = Customer(name="John", evidence={"zhima_score": 650, "pboc_record": "ordinary"}, limit_fen=400_000, annual_rate="0.18", flow="normal")
JANE = Customer(
    name="Jane",
    evidence={"zhima_score": 600, "pboc_record": "none", "taobao": SHOPPING, "jd": SHOPPING},
    limit_fen=200_000,
    annual_rate="0.25",
    flow="extended",
)
CUSTOMERS = (MIKE, JOHN, JANE)


class Platform:
    """The finance platform as its customers see it: through the gateway."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway

    def apply(self, customer: Customer, number: str) -> dict[str, Any]:
        """Apply for as much as is offered and return the case."""
        return self._ask("POST", "/approval/v1/applications", application(customer, number), {"Idempotency-Key": number})

    def schedule(self, loan: str) -> dict[str, Any]:
        return self._ask("GET", f"/ledger/v1/loans/{loan}/schedule")

    def repay(self, loan: str, amount_fen: int, key: str) -> dict[str, Any]:
        return self._ask("POST", f"/ledger/v1/loans/{loan}/repayments", {"amount_fen": amount_fen}, {"Idempotency-Key": key})

    def summary(self) -> dict[str, Any]:
        """Return how many applications there are, by status."""
        return self._ask("GET", "/approval/v1/summary")

    def trial_balance(self) -> dict[str, Any]:
        return self._ask("GET", "/ledger/v1/trial-balance")

    def verify(self) -> dict[str, Any]:
        """Have the ledger check every link of its journal."""
        return self._ask("GET", "/ledger/v1/journal/verify")

    def _ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        known = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self._gateway + path, data=data, method=method, headers=known)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise ConnectionError(f"{method} {path}: {error.code} {error.read()[:300]!r}") from error
        return found


def application(customer: Customer, number: str) -> dict[str, Any]:
    """Return an application of somebody like `customer`; every number is a person, a phone and a device of its own."""
    digits = f"{int.from_bytes(number.encode(), 'big') % 10**9:09}"
    return {
        "customer": {"id": f"customer-{number}", "name": customer.name, "age": 30, "phone": f"13{digits}"},
        "device": f"device-{number}",
        "contacts": [f"contact-{number}"],
        "periods": 12,
        "evidence": customer.evidence,
        "consent": True,
    }


def loan_traffic(number: int) -> Call:
    """Return the n-th call of steady traffic: applications of all three kinds, and every tenth time a look at the trial balance."""
    if number % 10 == 9:
        return Call("GET", "/ledger/v1/trial-balance")
    name = f"load-{number}"
    return Call("POST", "/approval/v1/applications", application(CUSTOMERS[number % 3], name), {"Idempotency-Key": name})
