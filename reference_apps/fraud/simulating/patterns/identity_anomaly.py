"""Identity anomaly: somebody applies in another person's name, with a photographed card and a mask or a picture of the face.

Traces: face and liveness below what a person gives, a SIM card bought last week that does not belong to the name, a bank card of somebody else. A deep fake
gets the face right and still not all of the papers.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck, victim = scene.luck, scene.somebody()
    own = scene.invented(0)
    for attempt in range(luck.randrange(1, 4)):
        scene.later(20, 600)
        scene.apply(
            victim,
            {key: own[key] for key in ("phone", "device", "contacts")}
            | {
                "account": f"{own['account']}-{attempt // 2}",
                "name_match": scene.share(8, 3) if scene.leaves(0.5) else 1.0,
                "id_phone_match": scene.share(2, 5) if scene.leaves(0.85) else 1.0,
                "card_match": scene.share(2, 4) if scene.leaves(0.6) else 1.0,
                "face_score": scene.share(7, 6) if scene.leaves(0.8) else scene.share(20, 3),
                "liveness_score": scene.share(5, 6) if scene.leaves(0.8) else scene.share(20, 4),
                "ocr_match": scene.share(6, 4) if scene.leaves(0.4) else 1.0,
                "id_region_match": not scene.leaves(0.4),
                "phone_tenure_days": luck.randrange(0, 40),
                "device_age_days": luck.randrange(0, 10),
            },
        )
