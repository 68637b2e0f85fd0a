"""python -m reference_apps.fraud: one instance; all instances on a machine share the log in their data folder, and the work.

With `simulate` or `measure` it is a command instead.
"""

import gc
import sys

from ctl.kit import serving
from ctl.kit.identity import Identity
from reference_apps.fraud.door import web
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.desk import Desk

LOOK_FOR_GARBAGE = (2_000, 4, 100_000)
"""A little at a time, and hardly ever through all of it: features are long-lived and refer to one another without circles, and a look through a hundred
thousand of them holds up every decision for a quarter of a tenth of a second."""
SWITCH_S = 0.0005
"""A commit is some tens of short steps of the log's thread: it must not wait for the event loop at each of them."""


def main() -> None:
    if sys.argv[1:2] in (["simulate"], ["measure"]):
        from reference_apps.fraud.simulating import commands  # what serves does not pay for it

        raise SystemExit(commands.run(sys.argv[1:]))
    gc.set_threshold(*LOOK_FOR_GARBAGE)
    sys.setswitchinterval(SWITCH_S)
    identity = Identity.from_environ()
    try:
        held = policy.load()
    except policy.BadPolicy as error:
        raise SystemExit(f"fraud does not start: {error}") from error
    desk = Desk(identity.data_dir, identity.instance, held)
    serving.serve(web.build(desk), on_start=desk.open, on_stop=desk.close)


if __name__ == "__main__":
    main()
