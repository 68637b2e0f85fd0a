"""msxfctl artifact list: what has been built."""

import click

from ctl.cli import options
from ctl.cli.asked import Asked
from ctl.cli.screens import plans
from ctl.cli.show import Screen
from ctl.cli.verb import Entry, LazyGroup, Verb


@click.command(cls=Verb, examples=("msxfctl artifact list risk", "msxfctl artifact list risk -o json"))
@options.service
@click.pass_obj
def list_(asked: Asked, service: str) -> None:
    """What has been built of a service, newest first."""
    with asked.plane() as there:
        rows = there.plane.artifacts(service)
    Screen(asked).answer("artifacts/1", {"service": service, "artifacts": rows}, lambda look: plans.artifacts(service, rows, look))


group = LazyGroup(
    "artifact",
    help="Immutable bundles of code, named by their content.",
    sections={"Commands": {"list": Entry("ctl.cli.artifact:list_", "What has been built of a service.")}},
)
