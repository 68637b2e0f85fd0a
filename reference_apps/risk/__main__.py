"""python -m reference_apps.risk: one instance; it does not start with a wrong package or policy. With a verb: a command for operators."""

import gc
import sys
from datetime import UTC, datetime

from ctl.kit import serving
from ctl.kit.calls import Calls
from ctl.kit.database import DatabaseFailed
from ctl.kit.identity import Identity, config
from reference_apps.risk import policy, rehearsal, settings, web
from reference_apps.risk.deciding.decider import Decider
from reference_apps.risk.desk import Desk, InForce
from reference_apps.risk.monitoring import web as monitoring
from reference_apps.risk.monitoring.finding import Carried
from reference_apps.risk.monitoring.watching import Watch
from reference_apps.risk.packages import reading
from reference_apps.risk.packages.faults import BadPackage
from reference_apps.risk.variables.bureaus import Bureaus

SWITCH_S = 0.0005
SELDOM = (20_000, 20, 100)
"""How many new objects bring on a search for garbage: a decision is some hundreds, hardly any of them in circles."""


def main() -> None:
    if len(sys.argv) > 1:
        from reference_apps.risk import commands  # what operators need, those that serve do not pay for

        raise SystemExit(commands.run(sys.argv[1:]))
    gc.set_threshold(*SELDOM)
    sys.setswitchinterval(SWITCH_S)  # a package that is made ready in a thread must not hold up decisions
    identity = Identity.from_environ()
    calls = Calls(identity)
    try:
        chosen = settings.load(config)
        today = datetime.now(UTC).date()
        package = reading.read(chosen.package, today)
        challenger = Decider(reading.read(chosen.challenger, today)) if chosen.challenger else None
        in_force = InForce(Decider(package), challenger, chosen.salt, chosen.buckets)
        desk = Desk(in_force, policy.load(config, package), identity.data_dir, Bureaus(calls, chosen.bureaus, chosen.timeouts_s))
        watch = Watch(identity.data_dir, chosen.monitoring, carried=lambda: carried(desk, package.hash))
        app = web.build(desk, rehearsal.load(config), lambda routes: monitoring.add(routes, watch))
    except (BadPackage, policy.BadPolicy, DatabaseFailed, ValueError, OSError) as error:
        raise SystemExit(f"risk does not start: {error}") from error

    async def start() -> None:
        await desk.start(follow=chosen.follow)
        watch.start()

    async def stop() -> None:
        await watch.stop()
        await desk.stop()
        await calls.close()

    serving.serve(app, on_start=start, on_stop=stop)


def carried(desk: Desk, release: str) -> Carried:
    """Return the packages in force now, and the one that the release brought."""
    held = desk.in_force
    return Carried(champion=held.decider.package.hash, release=release, challenger=held.challenger.package.hash if held.challenger else "")


if __name__ == "__main__":
    main()
