"""Model 10, merchant or agent collusion: the one who brings customers makes them up.

Required: agent_default_rate (share of the agent's loans without a first payment). Optional: agent_approval_rate, same_gps_submissions, serial_reuse (of the
goods' serial number or IMEI), closing_time_burst (share of the day's submissions in its last half hour). Counted: how far the merchant's customers come from
few devices in 24 h.
"""

from reference_apps.fraud.models.scoring import Model, concentration, high

MODEL = Model(
    name="collusion",
    required=("agent_default_rate",),
    bias=-2.9,
    median=0.057,
    signs=(
        high("{value} of the agent's loans had no first payment", 3.0, "agent_default_rate", free=0.05, full=0.3),
        high("{value} of the agent's applications are approved", 0.8, "agent_approval_rate", free=0.9),
        high("{value} submissions from the same spot", 1.5, "same_gps_submissions", free=3, full=20),
        high("the serial number was used {value} times before", 2.0, "serial_reuse", full=3),
        high("{value} of the day's submissions right before closing", 0.8, "closing_time_burst", free=0.3),
        concentration("the merchant's customers share few devices", 1.2, "merchant", "24h", "device"),
    ),
)
