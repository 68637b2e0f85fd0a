"""Account takeover: the thief has the password reset, on a SIM card swapped days ago, logs in from another telephone in another town, adds a payee and draws.

Traces: a new device after a change of credentials, a SIM swap, impossible speed, a payee of minutes ago. The wary wait two days, or work on the victim's own
session, stolen by a program.
"""

from reference_apps.fraud.simulating.scene import Scene
from reference_apps.fraud.simulating.town import HOUR_MS


def commit(scene: Scene) -> None:
    luck, victim = scene.luck, scene.somebody()
    waits_hours = luck.uniform(20, 60) if scene.is_wary else luck.uniform(0.05, 8)
    begin_ms, swapped = scene.at_ms, luck.randrange(0, 10) if scene.leaves(0.6) else victim.sim_days
    is_own_session = luck.random() < 0.25
    payee_ms = begin_ms + scene.hours(0, 1)
    for number in range(luck.randrange(2, 5)):
        at_ms = scene.later(2, 90)
        traces = {
            "device": victim.device_at(at_ms) if is_own_session else f"xd-{scene.name}",
            "new_device": not is_own_session,
            "network": f"60.{luck.randrange(256)}.{luck.randrange(256)}.0/24",
            "credential_changed_hours": round(waits_hours + (at_ms - begin_ms) / HOUR_MS, 1),
            "sim_swap_days": swapped,
            "geo_speed_kmh": round(luck.uniform(400, 4_000), 1) if not number and scene.leaves(0.6) else 5.0,
            "session_reused": is_own_session or scene.leaves(0.3),
            "proxy": scene.leaves(0.4),
        }
        if number == 0:
            scene.log_in(victim, traces)
        else:
            added_hours = round(max(0, at_ms - payee_ms) / HOUR_MS, 1)
            scene.pay(victim, traces | {"amount_fen": int(victim.limit_fen * luck.uniform(0.3, 1)), "payee_added_hours": added_hours})
