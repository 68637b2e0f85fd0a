"""False address: several people who do not exist live at a place that is only there to pick goods up, written a little differently each time.

Traces: found on the map only roughly, like an address known as bad, edited again and again, the device far away, deliveries to a forwarder. The wary use a real
house far from where they sit.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck, address = scene.luck, f"depot {scene.name}"
    far_km, is_forwarder = luck.uniform(30, 1_400), luck.random() < 0.5
    for number in range(luck.randrange(2, 7)):
        scene.later(60, 900)
        scene.apply(
            scene.somebody(),
            scene.invented(number)
            | {
                "address": address if scene.leaves(0.8) else f"{address} {number}",
                "geocode_precision_m": round(luck.uniform(400, 6_000) if scene.leaves(0.85) else luck.uniform(20, 200), 1),
                "bad_address_similarity": scene.share(8, 2) if scene.leaves(0.75) else scene.share(3, 5),
                "address_edits": luck.randrange(2, 8) if scene.leaves(0.8) else 1,
                "home_gps_km": round(far_km * luck.uniform(0.9, 1.1), 1),
                "home_ip_km": round(far_km * luck.uniform(0.8, 1.2), 1),
                "home_delivery_km": round(luck.uniform(20, 900), 1) if scene.leaves(0.6) else None,
                "forwarder": is_forwarder and scene.leaves(0.9),
            },
        )
