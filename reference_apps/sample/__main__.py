"""python -m reference_apps.sample: one instance of the generic workload."""

from ctl.kit import health, serving
from ctl.kit.identity import Identity, config
from reference_apps.sample import settings
from reference_apps.sample.app import Sample


def main() -> None:
    behaviour = settings.load()
    sample = Sample(Identity.from_environ(), behaviour)
    if behaviour.unready:
        health.unready(behaviour.unready)
    serving.serve(sample, single_writer=config("sample.single_writer") == "true", on_start=sample.start, on_stop=sample.stop)


if __name__ == "__main__":
    main()
