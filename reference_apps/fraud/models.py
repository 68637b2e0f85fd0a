"""Three of the fraud models, small and true: counted inputs -> probability in [0, 1]; a missing required input gives no score. Pure.

Every model is a logistic function of counts with positive weights, so that more of a bad sign never lowers its probability.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from reference_apps.fraud.model import Event, Family, ModelResult
from reference_apps.fraud.windows import Windows

DIGITS = 6


@dataclass(frozen=True, slots=True)
class Traits:
    """What models look at: the event, its windows, and how many other accounts share its contacts."""

    event: Event
    windows: Windows
    sharing: int


def application_velocity(traits: Traits) -> ModelResult:
    """Model 7, multi-head lending (多头): many applications of one account or phone. Requires the phone."""
    if not traits.event.phone:
        return ModelResult(model="application_velocity", probability=None, reason="the phone is unknown")
    hour = max(traits.windows[family, "1h"].count for family in (Family.ACCOUNT, Family.PHONE))
    day = max(traits.windows[family, "24h"].count for family in (Family.ACCOUNT, Family.PHONE))
    probability = _logistic(-5.0 + 0.8 * hour + 0.3 * day)
    return ModelResult(model="application_velocity", probability=probability, reason=f"{hour} events in 1 h and {day} in 24 h for this account or phone")


def device_cluster(traits: Traits) -> ModelResult:
    """Model 6: many accounts and phones on one device. Requires the device."""
    if not traits.event.device:
        return ModelResult(model="device_cluster", probability=None, reason="the device is unknown")
    hour, day = traits.windows[Family.DEVICE, "1h"], traits.windows[Family.DEVICE, "24h"]
    probability = _logistic(-5.0 + 0.5 * hour.accounts + 1.0 * day.accounts + 0.5 * day.phones)
    return ModelResult(model="device_cluster", probability=probability, reason=f"{day.accounts} accounts and {day.phones} phones on this device in 24 h")


def contact_sharing(traits: Traits) -> ModelResult:
    """Model 8, contact ring: other accounts name the same contacts. Without contacts there is no score."""
    if not traits.event.contacts:
        return ModelResult(model="contact_sharing", probability=None, reason="no contacts were named")
    probability = _logistic(-4.0 + 1.2 * traits.sharing)
    return ModelResult(model="contact_sharing", probability=probability, reason=f"{traits.sharing} other accounts named the same contacts in 24 h")


MODELS = (application_velocity, contact_sharing, device_cluster)
REQUIRED = frozenset({"application_velocity", "device_cluster"})
"""Models without whose score a customer is asked for more."""

MEDIAN: Mapping[str, float] = {"application_velocity": 0.02, "contact_sharing": 0.018, "device_cluster": 0.047}
"""What a model without a score counts as in a weighted sum: its probability for an ordinary first application."""


def _logistic(value: float) -> float:
    return round(1 / (1 + math.exp(-value)), DIGITS)
