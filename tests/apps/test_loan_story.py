"""The four apps as real processes: loans from application to first repayment, restarts, a killed instance, nothing lost and nothing doubled."""

import hashlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

SHOPPING = {"taobao": {"orders_12m": 40, "spend_12m_fen": 300_000}, "jd": {"orders_12m": 6, "spend_12m_fen": 120_000}}
PEOPLE: dict[str, dict[str, Any]] = {
    "mike": {"zhima_score": 780, "pboc_record": "good"},
    "john": {"zhima_score": 650},
    "jane": {"zhima_score": 600, "pboc_record": "none", **SHOPPING},
}
APPROVAL = {"TIMEOUT_LEDGER_S": "1.5", "RETRY_FIRST_MS": "100", "RETRY_LONGEST_MS": "300", "RETRY_ATTEMPTS": "100", "SWEEP_S": "0.1"}
OFFERS = {
    "mike": {"limit_fen": 500_000, "annual_rate": "0.10", "flow": "fast", "grade": "A"},
    "john": {"limit_fen": 400_000, "annual_rate": "0.18", "flow": "normal", "grade": "B"},
    "jane": {"limit_fen": 200_000, "annual_rate": "0.25", "flow": "extended", "grade": "C"},
}


def application(name: str, **evidence: Any) -> dict[str, Any]:
    phone = f"1{int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**10:010d}"
    return {
        "customer": {"id": name, "name": name.title(), "age": 34, "phone": phone},
        "device": f"device of {name}",
        "contacts": [f"mother of {name}"],
        "evidence": evidence,
        "consent": True,
    }


@pytest.fixture
def apps(fleet: Any) -> Any:
    """Ledger, fraud, risk and one approval."""
    fleet.ready(*(fleet.begin(service) for service in ("ledger", "fraud", "risk")), fleet.begin("approval", **APPROVAL))
    return fleet


def test_three_customers_from_application_to_first_repayment_across_a_restart(apps: Any) -> None:
    loans = {}
    for name, evidence in PEOPLE.items():
        applied = apps.ask("POST", "/approval/v1/applications", application(name, **evidence), key=f"app-{name}")
        assert (applied.status, applied.body["status"]) == (201, "disbursed"), applied.body
        assert applied.body["offer"] == OFFERS[name]
        assert applied.body["flow"] == OFFERS[name]["flow"]
        assert applied.body["amount_fen"] == OFFERS[name]["limit_fen"]
        loans[name] = applied.body["loan_id"]

    first = {name: apps.ask("GET", f"/ledger/v1/loans/{loan}/schedule").body["instalments"][0] for name, loan in loans.items()}
    assert first["mike"]["amount_fen"] == 43_958
    paid = apps.ask("POST", f"/ledger/v1/loans/{loans['mike']}/repayments", {"amount_fen": 43_958}, key="pay-1")
    assert paid.status == 201
    assert paid.body["allocated"] == {"penalty_fen": 0, "fee_fen": 0, "interest_fen": 4_167, "principal_fen": 39_791, "overpayment_fen": 0}

    apps.end_all()
    restarted = [apps.begin(service) for service in ("ledger", "fraud", "risk", "approval")]
    apps.ready(*restarted)
    for name, loan in loans.items():
        again = apps.ask("POST", "/approval/v1/applications", application(name, **PEOPLE[name]), key=f"app-{name}")
        assert (again.status, again.body["loan_id"]) == (201, loan), "the same application after a restart is the same loan"
    assert apps.ask("GET", f"/ledger/v1/loans/{loans['mike']}").body["outstanding"]["principal_fen"] == 500_000 - 39_791
    assert apps.ask("POST", f"/ledger/v1/loans/{loans['mike']}/repayments", {"amount_fen": 43_958}, key="pay-1").body == paid.body
    assert apps.ask("GET", "/fraud/v1/checks/application:app-jane").body["verdict"] == "pass"
    balance = apps.ask("GET", "/ledger/v1/trial-balance").body
    assert (balance["balanced"], balance["loans"], balance["transfers"]) == (True, 3, 6)
    assert apps.ask("GET", "/ledger/v1/journal/verify").body["verified"] is True
    assert apps.ask("GET", "/approval/v1/summary").body["by_status"]["disbursed"] == 3


def test_approval_killed_under_load_loses_no_application_and_pays_none_twice(apps: Any) -> None:
    apps.ready(apps.begin("approval", 2, **APPROVAL))
    count, statuses, lock = 60, [], threading.Lock()

    def apply(number: int) -> None:
        name = f"customer-{number}"
        answer = apps.ask("POST", "/approval/v1/applications", application(name, zhima_score=700 + number % 50), key=f"load-{number}")
        with lock:
            statuses.append(answer.status)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(apply, number) for number in range(count)]
        while len(statuses) < count // 4:
            time.sleep(0.005)
        apps.end(apps.processes["approval-1"], signal.SIGKILL)
        for future in futures:
            future.result()
    assert set(statuses) <= {201, 202}, "no request fails"
    deadline = time.monotonic() + 10
    while (summary := apps.ask("GET", "/approval/v1/summary").body)["open"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert summary["by_status"] == {"running": 0, "waiting": 0, "manual": 0, "rejected": 0, "disbursed": count}
    balance = apps.ask("GET", "/ledger/v1/trial-balance").body
    assert (balance["balanced"], balance["loans"]) == (True, count)


def test_the_ledger_changes_hands_and_no_application_fails(apps: Any) -> None:
    for number in range(5):
        assert apps.ask("POST", "/approval/v1/applications", application(f"early-{number}", zhima_score=720), key=f"early-{number}").status == 201
    heir = apps.begin("ledger", 2)
    apps.listening(heir)
    with ThreadPoolExecutor(4) as pool:
        futures = [
            pool.submit(apps.ask, "POST", "/approval/v1/applications", application(f"while-{number}", zhima_score=720), f"while-{number}")
            for number in range(30)
        ]
        while not any(future.done() for future in futures):
            time.sleep(0.005)
        apps.router.ports["ledger"].append(heir.port)
        apps.end(apps.processes["ledger-1"])
        assert {future.result().body["status"] for future in futures} == {"disbursed"}
    balance = apps.ask("GET", "/ledger/v1/trial-balance").body
    assert (balance["balanced"], balance["loans"]) == (True, 35)
    assert apps.ask("GET", "/ledger/v1/journal/verify").body["verified"] is True


def test_a_ledger_that_is_away_makes_applications_wait_and_they_are_paid_once_it_is_back(apps: Any) -> None:
    apps.end(apps.processes["ledger-1"], signal.SIGKILL)
    parked = apps.ask("POST", "/approval/v1/applications", application("mike", **PEOPLE["mike"]), key="app-mike")
    assert (parked.status, parked.body["status"], parked.body["loan_id"]) == (202, "waiting", None)
    assert parked.body["reasons"][0]["code"] == "ledger_unavailable"
    apps.ready(apps.begin("ledger"))
    deadline = time.monotonic() + 10
    while (case := apps.ask("GET", "/approval/v1/applications/app-mike").body)["status"] != "disbursed" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert case["status"] == "disbursed"
    assert apps.ask("GET", "/ledger/v1/trial-balance").body["loans"] == 1
