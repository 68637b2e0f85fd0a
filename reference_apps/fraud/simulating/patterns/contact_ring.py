"""Contact ring: a dozen borrowed names vouch for one another, each with a telephone and a device of its own.

Traces: the same few contacts in many applications, all of them new links of one day, contacts that name the applicant back. The wary bring only two a day and
give each one contact of the ring and one from outside.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck = scene.luck
    pool = [f"ring-{scene.name}-{number}" for number in range(luck.randrange(2, 5))]
    gap = (300, 900) if scene.is_wary else (10, 150)
    for number in range(luck.randrange(6, 15)):
        scene.later(*gap)
        named = luck.sample(pool, 2)
        scene.apply(
            scene.somebody(),
            scene.invented(number)
            | {
                "contacts": (named[0], f"xc-{scene.name}-{number}") if scene.is_wary else tuple(named),
                "contact_reciprocity": scene.share(9, 1) if scene.leaves(0.8) else scene.share(4, 5),
            },
        )
