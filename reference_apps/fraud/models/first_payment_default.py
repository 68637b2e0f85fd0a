"""Model 11, first-payment default and bust-out: the loan is taken without the thought of paying it back.

Required: monthly_income_fen. Optional: utilisation_jump (growth of the use of all lines in 30 d), payment_channel_changed, shopping_drop (fall of Taobao and
JD spending against the year before), peer_delinquency (early delinquency of people like this one). Counted: the account's amounts over 30 d.
"""

from reference_apps.fraud.models.scoring import Model, Sign, flag, high, place

MONTHS = 6
ASKED, AFFORDABLE = place("account", "30d", "sum_fen"), f"({MONTHS} * e.monthly_income_fen)"
BURDEN = f"1.0 if {ASKED} >= {AFFORDABLE} else {ASKED} / {AFFORDABLE}"

MODEL = Model(
    name="first_payment_default",
    required=("monthly_income_fen",),
    bias=-2.9,
    median=0.058,
    signs=(
        Sign("asks for much of half a year's income of {value} fen a month", 2.0, BURDEN, field="monthly_income_fen", worse=-1),
        high("the use of credit lines jumped by {value}", 1.5, "utilisation_jump", free=0.3),
        flag("another payment channel than before", 0.8, "payment_channel_changed"),
        high("shopping fell by {value}", 1.0, "shopping_drop", free=0.4),
        high("{value} of the people like this one pay late at once", 2.0, "peer_delinquency", free=0.05, full=0.3),
    ),
)
