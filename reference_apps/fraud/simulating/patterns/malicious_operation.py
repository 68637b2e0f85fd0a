"""Malicious operation: a program fills in forms, a few a minute, with lists of names.

Traces: seconds on the form, touches and keys as even as a machine's, everything pasted, many requests, captchas failed. A better program moves the pointer
along curves and waits, and then only its ways through the pages and its keys give it away.
"""

from reference_apps.fraud.simulating.scene import Scene


def commit(scene: Scene) -> None:
    luck = scene.luck
    rate = luck.uniform(60, 300) if scene.leaves(0.8) else luck.uniform(15, 50)
    pace = luck.uniform(0.05, 2) if not scene.is_wary else luck.uniform(2, 20)
    for number in range(luck.randrange(6, 25)):
        scene.later(pace * 0.5, pace * 1.5)
        even = {
            "dwell_ms": luck.randrange(200, 6_000) if scene.leaves(0.9) else luck.randrange(5_000, 20_000),
            "touch_entropy": scene.share(2, 10) if scene.leaves(0.85) else scene.share(6, 5),
            "key_entropy": scene.share(2, 10) if scene.leaves(0.9) else scene.share(5, 6),
            "paste_ratio": scene.share(9, 2) if scene.leaves(0.8) else 0.2,
            "path_rarity": scene.share(8, 2),
            "retries": luck.randrange(0, 9),
            "captcha_fails": luck.randrange(0, 6) if scene.leaves(0.8) else 0,
            "requests_per_minute": round(rate * luck.uniform(0.8, 1.2), 1),
        }
        keys = scene.invented(number) | {"device": f"xd-{scene.name}-{number // 3}"}
        scene.apply(scene.somebody(), keys | even)
