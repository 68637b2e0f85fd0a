"""python -m reference_apps.fraud: one instance; all instances on a machine share the log in their data folder."""

from ctl.kit import serving
from ctl.kit.identity import Identity
from reference_apps.fraud import web
from reference_apps.fraud.log import EventLog


def main() -> None:
    log = EventLog(Identity.from_environ().data_dir)

    async def close() -> None:
        log.close()

    serving.serve(web.build(log), on_stop=close)


if __name__ == "__main__":
    main()
