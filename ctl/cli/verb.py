"""How every command behaves: the options all of them share, help with examples, and commands that are imported when they are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from ctl.cli.asked import Asked
from ctl.cli.paint import WIDEST
from ctl.cli.show import Screen


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep what was given; what a command is told wins over what msxfctl itself was told."""
    if value is not None and param.name:
        setattr(ctx.ensure_object(Asked), param.name, value)


def everywhere(*, environment: bool = False) -> list[click.Parameter]:
    """Return the options of every command. `environment` lets MSXFCTL_SERVER and MSXFCTL_TOKEN_FILE speak where no option does."""
    server, token = ("MSXFCTL_SERVER", "MSXFCTL_TOKEN_FILE") if environment else (None, None)
    kept: dict[str, Any] = {"expose_value": False, "callback": _keep, "default": None}
    shapes, colours = click.Choice(["text", "json", "yaml"]), click.Choice(["auto", "always", "never"])
    return [
        click.Option(["-o", "--output"], type=shapes, help="Shape of the answer on standard output.", **kept),
        click.Option(["--utc"], is_flag=True, help="Exact times instead of relative ones.", **kept),
        click.Option(["--color"], type=colours, help="Colours; auto knows NO_COLOR.", **kept),
        click.Option(["-v", "--verbose"], is_flag=True, help="Say more; errors say where they come from.", **kept),
        click.Option(["--server"], metavar="URL", envvar=server, help="Ask this server, not this machine's daemon (MSXFCTL_SERVER).", **kept),
        click.Option(["--token-file"], metavar="FILE", envvar=token, help="File with the token for --server (MSXFCTL_TOKEN_FILE).", **kept),
    ]


class Verb(click.Command):
    """A command with the options of every command, and examples in its help."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.shared = everywhere()
        self.params = [*self.params, *self.shared]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [param for param in self.get_params(ctx) if param not in self.shared and not isinstance(param, click.Argument)]
        for title, params in (("Options", own), ("Options of every command", self.shared)):
            records = [record for param in params if (record := param.get_help_record(ctx))]
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def _overview(ctx: click.Context) -> None:
    """Show the group's commands where none is called."""
    if ctx.invoked_subcommand is None:
        Screen(ctx.ensure_object(Asked)).raw(ctx.get_help())


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is ("module:name") and its one line of help, known without importing it."""

    target: str
    about: str


Sections = Mapping[str, Mapping[str, Entry]]


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and lists its commands in titled sections."""

    def __init__(self, name: str, *, help: str, sections: Sections, params: list[click.Parameter] | None = None, epilog: str = "") -> None:
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
        overview = click.pass_context(_overview)
        super().__init__(name, help=help, epilog=epilog, params=params, callback=overview, invoke_without_command=True, context_settings=settings)
        self.sections = sections
        self.entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        found = getattr(import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.entries and not args[0].startswith("-"):
            ctx.fail(unknown(args[0], self.entries, ctx.command_path))
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(len(name) for name in self.entries)
        for title, section in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{longest}}", entry.about) for name, entry in section.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=entry.about) for name, entry in self.entries.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def unknown(name: str, known: Mapping[str, Any], path: str) -> str:
    """Say that there is no such command, with the ones that come near."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 2)
    return f"there is no command {name!r}" + (f"; did you mean {' or '.join(f'{path} {one}' for one in near)}?" if near else "")
