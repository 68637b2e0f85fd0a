"""msxfctl journal list, verify: the record of everything, and the proof that it is whole."""

import click

from ctl.cli import options, tailing
from ctl.cli.asked import Asked
from ctl.cli.screens import marks, records
from ctl.cli.show import Screen
from ctl.cli.tailing import Sort
from ctl.cli.verb import Entry, LazyGroup, Verb


@click.command(cls=Verb, examples=("msxfctl journal list --after 4000 --limit 50", "msxfctl journal list --service risk -o json"))
@click.option("--after", type=click.IntRange(0), default=None, metavar="SEQ", help="Events after this number (default: the newest).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N", help="At most so many.")
@options.of_service
@click.option("--kind", default="", help="Only kinds that begin so.")
@click.pass_obj
def list_(asked: Asked, after: int | None, limit: int, service: str | None, kind: str) -> None:
    """The journal's events with the links of their chain."""
    with asked.plane() as there:
        if after is None:
            rows = tailing.latest(there, Sort(service=service or "", kind=kind), limit)
        else:
            rows = there.plane.journal(after=after, limit=limit, service=service or "", kind=kind)
    Screen(asked).answer("journal/1", {"events": rows}, lambda look: records.journal(rows, look))


@click.command(cls=Verb, examples=("msxfctl journal verify",))
@click.pass_obj
def verify(asked: Asked) -> None:
    """Check every link of the journal's chain; exit status 3 and the first broken link where it is not whole."""
    with asked.plane() as there:
        found = there.plane.verify_journal()
    said = f"the journal is whole: {found['events']:,} events, each chained to the one before"
    Screen(asked).answer("journal-verify/1", found, lambda look: [f"{look.paint('good', marks.READY)} {said}"])


group = LazyGroup(
    "journal",
    help="The record of everything: append-only, each event chained to the one before.",
    sections={
        "Commands": {
            "list": Entry("ctl.cli.journal:list_", "Events with the links of their chain."),
            "verify": Entry("ctl.cli.journal:verify", "Check every link."),
        }
    },
)
