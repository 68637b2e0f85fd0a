"""Device cluster: a farm applies for many people on a few telephones that are wiped in between.

Traces: accounts and phones on one device within hours, a device nobody has seen before, a fingerprint like its neighbours'. The wary take one telephone for
three names only and let a day pass.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck = scene.luck
    names = luck.randrange(5, 15)
    each = 3 if scene.is_wary else luck.randrange(4, 9)
    gap = (120, 700) if scene.is_wary else (2, 90)
    for number in range(names):
        scene.later(*gap)
        scene.apply(
            scene.somebody(),
            scene.invented(number)
            | {
                "device": f"farm-{scene.name}-{number // each}",
                "device_age_days": luck.randrange(0, 6),
                "fingerprint_entropy": scene.share(3, 9) if scene.leaves(0.7) else scene.share(8, 5),
                "factory_reset": scene.leaves(0.6),
                "emulator": scene.leaves(0.2),
            },
        )
