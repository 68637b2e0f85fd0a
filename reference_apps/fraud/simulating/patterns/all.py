"""The eleven patterns by the model that is to see them, and how often each happens."""

from collections.abc import Callable, Mapping

from reference_apps.fraud.simulating.patterns import (
    account_takeover,
    address_score,
    application_velocity,
    cash_out,
    collusion,
    contact_ring,
    device_cluster,
    first_payment_default,
    identity_anomaly,
    malicious_operation,
    online_high_risk,
)
from reference_apps.fraud.simulating.scene import Scene

PATTERNS: Mapping[str, tuple[float, Callable[[Scene], None]]] = {
    "cash_out": (10, cash_out.commit),
    "identity_anomaly": (15, identity_anomaly.commit),
    "address_score": (8, address_score.commit),
    "online_high_risk": (10, online_high_risk.commit),
    "malicious_operation": (3, malicious_operation.commit),
    "device_cluster": (4, device_cluster.commit),
    "application_velocity": (8, application_velocity.commit),
    "contact_ring": (4, contact_ring.commit),
    "account_takeover": (10, account_takeover.commit),
    "collusion": (4, collusion.commit),
    "first_payment_default": (12, first_payment_default.commit),
}
"""Incidents for each thousand customers in thirty days, and what happens in one."""


def incidents(pattern: str, customers: int, days: int, often: float = 1.0) -> int:
    """Return how often a pattern happens: so many times its rate, and once at least; 0: never."""
    return max(1, round(often * PATTERNS[pattern][0] * customers * days / 30_000)) if often else 0
