"""Model 7, application velocity and multi-head lending (多头): somebody applies again and again, here and elsewhere.

Required: phone. Optional: bureau_queries_30d. Counted: events of the account and the phone from 10 min to 30 d, accounts on a contact and on the address.
"""

from reference_apps.fraud.models.scoring import Model, Sign, figure, high, most, place

OWN = ("account", "phone")
OFTEN = place("phone", "30d", "count")
AGAIN = f"min(5, {OFTEN} - 2)", f"{OFTEN} > 2 and e.kind == 'application'"

MODEL = Model(
    name="application_velocity",
    required=("phone",),
    bias=-5.0,
    median=0.02,
    signs=(
        most("{value} events of this account or phone in 1 h", 0.8, OWN, "1h", "count"),
        most("{value} events of this account or phone in 24 h", 0.3, OWN, "24h", "count"),
        most("{value} events of this account or phone in 30 d", 0.02, OWN, "30d", "count"),
        Sign("{value} applications beyond the second in 30 d", 0.3, *AGAIN),
        figure("{value} events beyond the third of this phone in 10 min", 0.1, "phone", "10m", "count", free=3),
        figure("{value} accounts beyond the second on a contact in 24 h", 0.1, "contact", "24h", "account", free=2),
        figure("{value} accounts beyond the second at the address in 24 h", 0.1, "address", "24h", "account", free=2),
        high("{value} queries at the bureaus in 30 d", 4.0, "bureau_queries_30d", free=4, full=20),
    ),
)
