"""python -m reference_apps.fraud: one instance; all instances on a machine share the log in their data folder, and the work."""

import gc

from ctl.kit import serving
from ctl.kit.identity import Identity
from reference_apps.fraud.door import web
from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.desk import Desk

SELDOM = (100_000, 50, 100)
"""Features are long-lived and refer to one another without circles: looking through them for garbage would only cost time."""


def main() -> None:
    gc.set_threshold(*SELDOM)
    identity = Identity.from_environ()
    try:
        held = policy.load()
    except policy.BadPolicy as error:
        raise SystemExit(f"fraud does not start: {error}") from error
    desk = Desk(identity.data_dir, identity.instance, held)
    serving.serve(web.build(desk), on_start=desk.open, on_stop=desk.close)


if __name__ == "__main__":
    main()
