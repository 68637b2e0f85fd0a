"""High-risk session: stolen passwords are tried from rented servers abroad, on emulated telephones, at night.

Traces: proxy, hosting network, wrong time zone, mail from a domain of last week, addresses on public black lists. The wary rent lines in ordinary homes: proxy
lists do not know these, but the device and the mail are still wrong.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck = scene.luck
    domain_days, hits = luck.randrange(0, 50), luck.randrange(0, 4)
    rented = {
        "network": f"45.{luck.randrange(256)}.{luck.randrange(256)}.0/24",
        "proxy": scene.leaves(0.9),
        "hosting_network": scene.leaves(0.7),
        "emulator": scene.leaves(0.5),
        "rooted": scene.leaves(0.5),
    }
    for number in range(luck.randrange(1, 6)):
        scene.later(1, 60)
        traces = rented | {
            "device": f"xd-{scene.name}-{number}",
            "timezone_mismatch": scene.leaves(0.7),
            "blacklist_hits": hits,
            "domain_age_days": domain_days if scene.leaves(0.7) else 2_000,
            "night_share": scene.share(4, 4),
        }
        scene.log_in(scene.somebody(), traces)
