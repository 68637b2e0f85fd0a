"""Model 1, cash-out (套现): goods are bought that nobody wants, to turn a credit line into money.

Required: merchant, limit_fen. Optional: activated_days, merchant_age_days, merchant_category, refunds_24h. Counted: how far the account keeps to one
merchant over 24 h and 30 d, and how far the merchant lives on few payers.
"""

from reference_apps.fraud.models.scoring import Model, Sign, concentration, high, low

CASHABLE = ("gift_card", "jewellery", "mobile_top_up", "phone", "prepaid_card")
ROUND_FEN = 50_000


MODEL = Model(
    name="cash_out",
    required=("merchant", "limit_fen"),
    bias=-3.3,
    median=0.048,
    signs=(
        Sign("most of the limit in one purchase", 2.2, "1.0 if e.amount_fen >= e.limit_fen else e.amount_fen / e.limit_fen", field="limit_fen", worse=-1),
        Sign("a round amount", 0.5, "1.0", f"e.amount_fen and e.amount_fen % {ROUND_FEN} == 0"),
        Sign("goods that are easy to turn into money", 1.0, "1.0", f"e.merchant_category in {CASHABLE}"),
        low("the line was activated {value} days ago", 1.2, "activated_days", free=14),
        low("the merchant is {value} days old", 1.0, "merchant_age_days", free=90),
        high("{value} refunds in 24 h before spending", 1.5, "refunds_24h", full=3),
        concentration("again and again the same merchant in 24 h", 1.2, "account", "24h", "merchant"),
        concentration("again and again the same merchant in 30 d", 0.6, "account", "30d", "merchant"),
        concentration("the merchant lives on few payers", 1.0, "merchant", "24h", "account"),
    ),
)
