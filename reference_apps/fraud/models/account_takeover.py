"""Model 9, account takeover: somebody else has the keys.

Required: new_device, credential_changed_hours (since the last change of password or phone). Optional: sim_swap_days, geo_speed_kmh (from the last session to
this one), payee_added_hours, session_reused. Counted: devices of the account in 24 h.
"""

from reference_apps.fraud.models.scoring import Model, Sign, figure, flag, high, low

FRESH_HOURS = 24.0
NEW_AFTER_CHANGE = f"(max(0.0, 1 - e.credential_changed_hours / {FRESH_HOURS}) if e.new_device else 0.0)"
DRAW_DOWN = f"(max(0.0, 1 - e.payee_added_hours / {FRESH_HOURS}) if e.payee_added_hours is not None and e.amount_fen else 0.0)"

MODEL = Model(
    name="account_takeover",
    required=("new_device", "credential_changed_hours"),
    bias=-4.0,
    median=0.018,
    signs=(
        Sign("a new device right after a change of credentials", 2.5, NEW_AFTER_CHANGE),
        Sign("money to a payee added {value} hours ago", 1.5, DRAW_DOWN, "payee_added_hours", -1),
        flag("a new device", 0.8, "new_device"),
        low("credentials changed {value} hours ago", 0.8, "credential_changed_hours", free=FRESH_HOURS),
        low("the SIM was swapped {value} days ago", 1.5, "sim_swap_days", free=14),
        high("{value} km/h since the last session", 2.0, "geo_speed_kmh", free=300, full=1_200),
        flag("a session that was used elsewhere", 1.5, "session_reused"),
        figure("{value} devices beyond the second in 24 h", 0.5, "account", "24h", "device", free=2),
    ),
)
