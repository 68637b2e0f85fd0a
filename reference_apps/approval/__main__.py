"""python -m reference_apps.approval: one instance; all instances on a machine share the cases in their data folder."""

import os

from ctl.kit import serving
from ctl.kit.calls import Calls
from ctl.kit.identity import Identity, config
from reference_apps.approval import settings, web
from reference_apps.approval.engine import Engine
from reference_apps.approval.services import Services
from reference_apps.approval.store import Store


def main() -> None:
    identity = Identity.from_environ()
    try:
        chosen = settings.load(config)
    except ValueError as error:
        raise SystemExit(f"approval does not start: {error}") from error
    calls = Calls(identity)
    store = Store(identity.data_dir, identity.instance, f"{identity.instance}#{os.getpid()}")
    engine = Engine(store, Services(calls, chosen.timeouts, chosen.bureaus), chosen.retry, chosen.rhythm)

    async def stop() -> None:
        await engine.stop()
        await calls.close()

    serving.serve(web.build(engine, store), on_start=engine.start, on_stop=stop)


if __name__ == "__main__":
    main()
