"""python -m reference_apps.fraud: one instance; all instances on a machine share the log in their data folder, and the work.

With a command (`--help` lists them) it is the operator's tool instead.
"""

import gc
import sys

from ctl.kit import serving
from ctl.kit.identity import Identity
from reference_apps.fraud.app import App
from reference_apps.fraud.policy import policy

LOOK_FOR_GARBAGE = (1_000, 1_000_000, 1_000_000)
"""A little at a time, and hardly ever through all of it: features are long-lived and refer to one another without circles, and a look through a hundred
thousand of them holds up every decision for a quarter of a tenth of a second."""
SWITCH_S = 0.0005
"""A commit is some tens of short steps of the log's thread: it must not wait for the event loop at each of them."""


def main() -> None:
    gc.set_threshold(*LOOK_FOR_GARBAGE)
    sys.setswitchinterval(SWITCH_S)
    identity = Identity.from_environ()
    try:
        held = policy.load()
    except policy.BadPolicy as error:
        raise SystemExit(f"fraud does not start: {error}") from error
    app = App(identity.data_dir, identity.instance, held)
    serving.serve(app.door, on_start=app.open, on_stop=app.close)


if __name__ == "__main__":
    if sys.argv[1:]:
        from reference_apps.fraud.console import cli

        sys.exit(cli.run(sys.argv[1:]))
    main()
