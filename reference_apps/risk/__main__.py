"""python -m reference_apps.risk: one instance; it does not start with a wrong package or policy."""

from ctl.kit import serving
from ctl.kit.identity import config
from reference_apps.risk import package, policy, rehearsal, web


def main() -> None:
    try:
        held = package.load()
        app = web.build(held, policy.load(config, held), rehearsal.load(config))
    except (package.BadPackage, policy.BadPolicy, ValueError) as error:
        raise SystemExit(f"risk does not start: {error}") from error
    serving.serve(app)


if __name__ == "__main__":
    main()
