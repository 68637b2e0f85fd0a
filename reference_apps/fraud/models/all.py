"""The eleven fraud models, in their order, and all of them as one function."""

from reference_apps.fraud.models import (
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
from reference_apps.fraud.models.scoring import Look, Model, compiled

MODELS: tuple[Model, ...] = (
    cash_out.MODEL,
    identity_anomaly.MODEL,
    address_score.MODEL,
    online_high_risk.MODEL,
    malicious_operation.MODEL,
    device_cluster.MODEL,
    application_velocity.MODEL,
    contact_ring.MODEL,
    account_takeover.MODEL,
    collusion.MODEL,
    first_payment_default.MODEL,
)
NAMES = tuple(model.name for model in MODELS)
MEDIANS = tuple(int(model.median * 1_000_000) for model in MODELS)
SCORES = compiled([step for model in MODELS for step in model.steps(model.name)], f"({', '.join(NAMES)})")


def probabilities(look: Look) -> tuple[int | None, ...]:
    """Return each model's probability in millionths; None: no score."""
    found: tuple[int | None, ...] = SCORES(look.event, look.figures, look.ties)
    return found
