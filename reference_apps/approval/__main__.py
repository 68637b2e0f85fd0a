"""python -m reference_apps.approval: one instance; all instances on a machine share the cases in their data folder. With `flow` or `case`: a command."""

import gc
import os
import sys

from ctl.kit import serving
from ctl.kit.calls import Calls
from ctl.kit.identity import Identity, config
from reference_apps.approval import settings, web
from reference_apps.approval.engine import Engine
from reference_apps.approval.flow.reading import FlowRefused
from reference_apps.approval.published import Published, bundled
from reference_apps.approval.services import Services
from reference_apps.approval.store import Store

SELDOM = (20_000, 20, 100)
"""How many new objects bring on a search for garbage. A case on its way is a tree without circles: looking through hundreds of them would only cost time."""


def main() -> None:
    if sys.argv[1:]:
        from reference_apps.approval.commands import run

        raise SystemExit(run(sys.argv[1:]))
    identity = Identity.from_environ()
    try:
        chosen, flows = settings.load(config), bundled()
    except (ValueError, FlowRefused) as error:
        raise SystemExit(f"approval does not start: {error}") from error
    calls = Calls(identity)
    store = Store(identity.data_dir, identity.instance, f"{identity.instance}#{os.getpid()}")
    services = Services(calls, chosen.patience, chosen.bureaus)
    engine = Engine(store, services, chosen.retry, chosen.rhythm, Published(store, chosen.flow, flows))

    async def stop() -> None:
        await engine.stop()
        await calls.close()

    gc.set_threshold(*SELDOM)
    serving.serve(web.build(engine, store), on_start=engine.start, on_stop=stop)


if __name__ == "__main__":
    main()
