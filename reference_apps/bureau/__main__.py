"""python -m reference_apps.bureau: one instance of a simulated bureau; which one, its name or bureau.kind says."""

from ctl.kit import serving
from ctl.kit.identity import Identity, config
from reference_apps.bureau import rehearsal, web


def main() -> None:
    identity = Identity.from_environ()
    try:
        app = web.build(identity, web.kind_of(identity.service, config("bureau.kind", "")), rehearsal.load(config))
    except ValueError as error:
        raise SystemExit(f"the bureau does not start: {error}") from error
    serving.serve(app)


if __name__ == "__main__":
    main()
