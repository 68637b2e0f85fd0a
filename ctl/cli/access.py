"""msxfctl token create, list, remove: who may use the API over the network, and as what."""

import os
from typing import Any, TextIO

import click

from ctl.cli import options
from ctl.cli.asked import Asked
from ctl.cli.screens import records
from ctl.cli.show import Screen
from ctl.cli.verb import Entry, LazyGroup, Verb
from ctl.errors import BadInput, CtlError, NotFound
from ctl.model.view import TokenView

ROLES = ("viewer", "releaser", "operator", "admin")


@click.command(cls=Verb, examples=("msxfctl token create ci-main --role releaser --ttl 30d --file ci.token",))
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do; each role may do what those before it may.")
@options.length("--ttl", help="How long it lasts (12h, 30d); without it, until it is removed.")
@click.option("--file", type=click.Path(dir_okay=False, writable=True), default=None, help="Write the token into this new file (mode 600) and do not show it.")
@options.dry_run
@click.pass_obj
def create(asked: Asked, /, name: str, role: str, ttl: float | None, **how: Any) -> None:
    """Make a token. It is shown this once and kept only as a hash."""
    screen, file = Screen(asked), how["file"]
    if how["dry_run"]:
        body = {"dry_run": True, "name": name, "role": role, "ttl_s": ttl}
        return screen.answer("would-create-token/1", body, lambda _: [f"would make a token {name} as {role}", "nothing was changed"])
    secret = _new_file(file) if file else None
    try:
        with asked.plane() as there:
            made = there.plane.create_token(name, role, ttl_s=ttl)
    except (CtlError, KeyboardInterrupt):
        if secret:
            secret.close()
            os.unlink(secret.name)
        raise
    _tell(screen, made, secret)
    return None


def _tell(screen: Screen, made: TokenView, file: TextIO | None) -> None:
    """Hand the secret over: into the file, or onto the screen."""
    undo, said = f"msxfctl token remove {made['name']}", [f"  {made['secret']}", "  this is the only time it is shown"]
    if file:
        with file:
            file.write(f"{made['secret']}\n")
        made["secret"], said = None, [f"  it is in {file.name}: use it with --token-file or MSXFCTL_TOKEN_FILE"]
    body = {**made, "file": file.name if file else None, "undo": undo}
    screen.answer("token/1", body, lambda _: [f"token {made['name']} as {made['role']}", *said, f"undo   {undo}"])


def _new_file(path: str) -> TextIO:
    """Open a file that only we may read. Raises BadInput where there is one already."""
    try:
        return open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))
    except OSError as error:
        raise BadInput(f"{path} cannot be written", found=str(error), remedy="name a new file in a folder that is yours") from error


@click.command(cls=Verb, examples=("msxfctl token list", "msxfctl token list -o json"))
@click.pass_obj
def list_(asked: Asked) -> None:
    """The tokens, without their secrets."""
    with asked.plane() as there:
        rows = there.plane.tokens()
    Screen(asked).answer("tokens/1", {"tokens": rows}, lambda look: records.tokens(rows, look))


@click.command(cls=Verb, examples=("msxfctl token remove ci-main",))
@click.argument("name")
@options.dry_run
@click.pass_obj
def remove(asked: Asked, name: str, dry_run: bool) -> None:
    """Take a token away; who holds it is let in no more."""
    screen = Screen(asked)
    with asked.plane() as there:
        known = next((one for one in there.plane.tokens() if one["name"] == name), None)
        if known is None:
            raise NotFound(f"there is no token {name!r}", remedy="msxfctl token list")
        if not dry_run:
            there.plane.remove_token(name)
    again = f"msxfctl token create {name} --role {known['role']}"
    said = ["would remove token " + name, "nothing was changed"] if dry_run else [f"token {name} is removed", f"undo   {again} (with a new secret)"]
    screen.answer("token-removed/1", {"dry_run": dry_run, "name": name, "role": known["role"], "undo": again}, lambda _: said)


group = LazyGroup(
    "token",
    help="Access to the API over the network. Users of this machine need no token.",
    sections={
        "Commands": {
            "create": Entry("ctl.cli.access:create", "Make a token; it is shown once."),
            "list": Entry("ctl.cli.access:list_", "The tokens, without their secrets."),
            "remove": Entry("ctl.cli.access:remove", "Take a token away."),
        }
    },
)
