"""Model 9, account takeover: somebody else has the keys.

Required: new_device, credential_changed_hours (since the last change of password or phone). Optional: sim_swap_days, geo_speed_kmh (from the last session to
this one), payee_added_hours, session_reused. Counted: devices of the account in 24 h.
"""

from reference_apps.fraud.models.scoring import Model, Sign, figure, flag, high, low

FRESH_HOURS = 24.0
NEW_AFTER_CHANGE = f"1 - x / {FRESH_HOURS}", f"e.new_device and (x := e.credential_changed_hours) < {FRESH_HOURS}"
DRAW_DOWN = f"1 - x / {FRESH_HOURS}", f"(x := e.payee_added_hours) is not None and x < {FRESH_HOURS} and e.amount_fen"

MODEL = Model(
    name="account_takeover",
    required=("new_device", "credential_changed_hours"),
    bias=-4.0,
    median=0.018,
    signs=(
        Sign("a new device right after a change of credentials", 2.5, *NEW_AFTER_CHANGE),
        Sign("money to a payee added {value} hours ago", 1.5, *DRAW_DOWN, "payee_added_hours", -1),
        flag("a new device", 0.8, "new_device"),
        low("credentials changed {value} hours ago", 0.8, "credential_changed_hours", free=FRESH_HOURS),
        low("the SIM was swapped {value} days ago", 1.5, "sim_swap_days", free=14),
        high("{value} km/h since the last session", 2.0, "geo_speed_kmh", free=300, full=1_200),
        flag("a session that was used elsewhere", 1.5, "session_reused"),
        figure("{value} devices beyond the second in 24 h", 0.5, "account", "24h", "device", free=2),
    ),
)
