"""python -m reference_apps.ledger: the books, kept by the one process that holds the writer lock; it does not start with a wrong policy."""

import os
import signal

from ctl.kit import serving, writer
from ctl.kit.identity import Identity, config
from reference_apps.ledger import settings
from reference_apps.ledger.door import policy, web
from reference_apps.ledger.keeping.desk import Desk


def main() -> None:
    try:
        data_dir = Identity.from_environ().data_dir
        place = settings.place(config, data_dir)
        lending = policy.load(config)
    except ValueError as error:
        raise SystemExit(f"ledger does not start: {error}") from error
    desk = Desk(place, on_fenced=_go, snapshots=data_dir / "snapshots")

    async def open_books() -> None:
        await desk.open(writer.epoch())

    serving.serve(web.build(desk, policy=lending), single_writer=True, on_start=open_books, on_stop=desk.close)


def _go() -> None:
    """A fenced writer can do nothing more: it drains and ends, and its runtime starts another."""
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
