"""What the anomaly detector said, counted for Prometheus: in shadow this is all that it does. One thread writes it, the event loop's."""

from ctl.kit import metrics
from reference_apps.fraud.features.trees import MILLION

BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ODD = metrics.histogram("fraud_anomaly_score", "How odd judged events were, by the anomaly detector in shadow.", buckets=BUCKETS)


def note(odd: int | None) -> None:
    """Count one judged event; None: the detector has not seen enough yet."""
    if odd is not None:
        ODD.observe(odd / MILLION)
