"""Collusion: an agent makes customers up, or fills in for real ones who will never see the goods, in the last hour before closing.

Traces: the agent's first payments that never come, hardly a refusal, one spot, one till's device, goods whose serial number was sold before. The wary agent's
numbers lie near honest ones, because true customers are mixed in.
"""

from reference_apps.fraud.simulating import habits
from reference_apps.fraud.simulating.scene import Scene
from reference_apps.fraud.simulating.town import Agent


def commit(scene: Scene) -> None:
    luck = scene.luck
    defaults = luck.uniform(0.09, 0.2) if scene.is_wary else luck.uniform(0.15, 0.45)
    agent = Agent(shop=f"crook-{scene.name}", network="10.211.0.0/24", approval_rate=round(luck.uniform(0.88, 0.99), 3), default_rate=round(defaults, 3))
    for number in range(luck.randrange(5, 16)):
        scene.later(3, 40)
        brought = habits.brought_by(luck, agent) | {
            "same_gps_submissions": number + luck.randrange(4, 11) if scene.leaves(0.85) else 2,
            "serial_reuse": luck.randrange(1, 4) if scene.leaves(0.5) else 0,
            "closing_time_burst": scene.share(6, 5) if scene.leaves(0.8) else 0.2,
        }
        till = {"device": f"till-{scene.name}-{number // 2}"} if scene.leaves(0.5) else {}
        scene.apply(scene.somebody(), scene.invented(number) | till | brought)
