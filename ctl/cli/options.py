"""The arguments and options that several commands share, and the types they are made of. What is wrong is refused before anything is asked."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ctl.cli import times

Command = TypeVar("Command", bound=Callable[..., Any])
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
CHECKSUM = re.compile(r"[0-9a-f]{8,64}")


def _name(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Let a service's name, several or none through; whether there is such a service, the control plane knows."""
    for one in value if isinstance(value, tuple) else (value,):
        if one is not None and not NAME.fullmatch(one):
            raise click.BadParameter(f"{one!r} is no name of a service", ctx, param)
    return value


def _version(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no version; use letters, digits, dots, dashes and underscores, e.g. 1.4.2", ctx, param)
    return value


def _checksum(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    text = (value or "").lower()
    if text and not CHECKSUM.fullmatch(text):
        raise click.BadParameter(f"{value!r} is no checksum of a plan; msxfctl plan prints it (8 or more of 0-9 and a-f)", ctx, param)
    return text


def _length(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Turn 90s, 15m or 2h into seconds."""
    try:
        return None if value is None else times.length(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write it as 90s, 15m or 2h", ctx, param) from error


def _services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ctl.cli import completing

    return [CompletionItem(name) for name in completing.services(ctx) if name.startswith(incomplete)]


def _versions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ctl.cli import completing

    return [CompletionItem(version) for version in completing.versions(ctx) if version.startswith(incomplete)]


service = click.argument("service", callback=_name, shell_complete=_services)
services = click.argument("services", metavar="SERVICE...", nargs=-1, required=True, callback=_name, shell_complete=_services)
service_or_all = click.argument("service", required=False, default=None, callback=_name, shell_complete=_services)
of_service = click.option("--service", default=None, callback=_name, shell_complete=_services, help="Only of this service.")
version = click.option("--version", "version", required=True, callback=_version, shell_complete=_versions, help="The version, as it was built.")
to_version = click.option("--to", default=None, callback=_version, shell_complete=_versions, help="This version or release, instead of the last good one.")
approve = click.option("--approve", default=None, metavar="CHECKSUM", callback=_checksum, help="Go only if the plan still has this checksum.")
strategy = click.option("--strategy", type=click.Choice(["rolling", "canary", "blue-green"]), default=None, help="Another strategy than the catalog's.")
reason = click.option("--reason", default="", help="Why; the journal keeps it.")
dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
yes = click.option("--yes", is_flag=True, help="Do not ask (tier 0 in prod asks for the service's name).")


def length(*names: str, help: str, default: str | None = None) -> Callable[[Command], Command]:
    """Return an option that takes a length of time and gives seconds."""
    return click.option(*names, default=default, show_default=default is not None, metavar="TIME", callback=_length, help=help)


timeout = length("--timeout", help="Wait at most this long (90s, 15m); what was begun goes on.")


def wait(*, default: bool) -> Callable[[Command], Command]:
    """Return the option that waits for the end, or does not."""
    return click.option("--wait/--no-wait", "wait", default=default, show_default=True, help="Wait for the end and say how it went by the exit status.")


def last(number: int, what: str, *, most: int = 10_000) -> Callable[[Command], Command]:
    """Return the option that bounds how many are shown."""
    return click.option("--last", type=click.IntRange(1, most), default=number, show_default=True, metavar="N", help=f"How many {what}.")
