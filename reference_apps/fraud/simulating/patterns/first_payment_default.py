"""First-payment default, bust-out: all lines are drawn at once before somebody disappears.

Traces: sums far above the income, use of credit that jumps, another channel for payments, shopping that has stopped, neighbours who did the same. The wary ask
for less at a time, and somebody who moves house looks much the same for a month.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck, person = scene.luck, scene.somebody()
    peers = scene.share(3, 12)
    for _ in range(luck.randrange(2, 5)):
        scene.later(120, 2_400)
        scene.apply(
            person,
            {
                "amount_fen": int(person.income_fen * (luck.uniform(1, 2.5) if scene.is_wary else luck.uniform(2, 7))),
                "utilisation_jump": scene.share(7, 3) if scene.leaves(0.85) else scene.share(3, 6),
                "payment_channel_changed": scene.leaves(0.6),
                "shopping_drop": scene.share(7, 3) if scene.leaves(0.8) else scene.share(3, 6),
                "peer_delinquency": peers,
                "bureau_queries_30d": luck.randrange(1, 7),
            },
        )
