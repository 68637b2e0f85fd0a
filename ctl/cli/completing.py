"""Names for shell completion: from the daemon within 300 ms, else from the catalog's file names. Never fails, never waits long."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ctl.cli import reach
from ctl.cli.asked import Asked
from ctl.errors import CtlError

if TYPE_CHECKING:
    from ctl.client import RemotePlane

BUDGET_S = 0.3
SETTINGS_OF_ITS_OWN = "schema"


def services(ctx: click.Context) -> list[str]:
    """Return the names of all services."""
    asked = ctx.ensure_object(Asked)
    try:
        daemon = _daemon(asked)
        if daemon:
            return [row["name"] for row in daemon.services()]
    except CtlError:
        pass
    return _on_disk(asked)


def versions(ctx: click.Context) -> list[str]:
    """Return the versions that have been built of the service that stands before on the line; click leaves it in `args` while a value is missing."""
    if not ctx.args:
        return []
    try:
        daemon = _daemon(ctx.ensure_object(Asked))
        return [one["version"] for one in daemon.artifacts(ctx.args[0])] if daemon else []
    except CtlError:
        return []


def in_catalog(folder: str) -> Iterator[str]:
    """Yield the service names that the catalog's file names tell, without reading a file."""
    try:
        domains = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for domain in domains:
        if domain.is_dir() and domain.name != SETTINGS_OF_ITS_OWN:
            yield from sorted(name.removesuffix(".yaml") for name in os.listdir(domain) if name.endswith(".yaml"))


def _on_disk(asked: Asked) -> list[str]:
    try:
        return list(in_catalog(str(asked.settings().catalog)))
    except CtlError:
        return []


def _daemon(asked: Asked) -> "RemotePlane | None":
    if asked.server:
        return reach.remote(asked.server, asked.token_file, timeout_s=BUDGET_S)
    return reach.daemon_of(asked.settings(), timeout_s=BUDGET_S)
