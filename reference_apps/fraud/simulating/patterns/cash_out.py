"""Cash-out (套现): a customer with a fresh line buys goods that are sold on at once, in a few purchases at the same young shop, which pays money back.

Traces: much of the limit in few hours, one merchant, easy goods, round sums, refunds. The wary spread it over two shops and odd sums, and honest people also
buy a telephone for a month's pay.
"""

from reference_apps.fraud.simulating.scene import Scene

GOODS = ("gift_card", "jewellery", "mobile_top_up", "phone", "prepaid_card")


def commit(scene: Scene) -> None:
    luck, person = scene.luck, scene.somebody()
    shops = [f"front-{scene.name}-{number}" for number in range(2 if scene.is_wary else 1)]
    shop_days, active_days = luck.randrange(3, 120), luck.randrange(0, 20)
    limit, refunds = max(300_000, person.limit_fen), luck.randrange(0, 3)
    for _ in range(luck.randrange(2, 6)):
        scene.later(15, 240)
        amount = int(limit * luck.uniform(0.25, 0.8))
        scene.pay(
            person,
            {
                "merchant": luck.choice(shops),
                "merchant_category": luck.choice(GOODS) if scene.leaves(0.85) else "household",
                "merchant_age_days": shop_days,
                "amount_fen": amount // 50_000 * 50_000 if scene.leaves(0.6) else amount,
                "limit_fen": limit,
                "activated_days": active_days,
                "refunds_24h": refunds if scene.leaves(0.6) else 0,
            },
        )
