"""Multi-head lending (多头): somebody in need of money applies again and again, here and everywhere else, before the first bureau knows.

Traces: applications of one person or phone within hours, many queries at the bureaus. The wary wait for days between two, and then only the bureaus tell.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck, person = scene.luck, scene.somebody()
    queries = luck.randrange(5, 14)
    gap = (600, 3_000) if scene.is_wary else (5, 120)
    for number in range(luck.randrange(4, 9)):
        scene.later(*gap)
        queries += luck.randrange(1, 4)
        scene.apply(
            person,
            {
                "account": person.account if scene.leaves(0.7) else f"{person.account}-{scene.name}-{number % 2}",
                "bureau_queries_30d": queries,
                "utilisation_jump": scene.share(4, 6),
            },
        )
