"""Every command has its line of help, its examples, and the options that all of them share; and what the examples say can be said."""

import shlex
from collections.abc import Iterator

import click
import pytest

from ctl.cli.asked import Asked
from ctl.cli.main import cli
from ctl.cli.verb import LazyGroup, Verb
from tests.cli.console import Console

TOLD = {
    "up", "down", "daemon", "services", "show", "build", "deploy", "plan", "status", "pause", "resume", "promote", "abort", "rollback", "history", "logs",
    "events", "journal", "scale", "catalog", "token", "artifact", "doctor", "completion", "version",
}  # fmt: skip
CHANGING = ("build", "deploy", "rollback", "pause", "resume", "promote", "abort", "scale")
WAITING = ("deploy", "rollback", "resume", "promote", "abort", "scale")


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Verb]]:
    """Yield every command that is no group, with its path."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        if isinstance(found, LazyGroup):
            yield from commands(found, (*path, name))
        else:
            assert isinstance(found, Verb), f"{name} has the options of every command"
            yield " ".join((*path, name)), found


ALL = dict(commands(cli))


def test_the_table_of_commands_is_whole() -> None:
    assert set(cli.entries) == TOLD


@pytest.mark.parametrize("name", ALL)
def test_a_command_says_what_it_does_in_one_line(name: str, console: Console) -> None:
    help_text = ALL[name].help or ""
    assert 10 < len(help_text.splitlines()[0]) < 150, "one line says what it does"
    ran = console.run(*name.split(), "--help")
    assert (ran.status, ran.err) == (0, "")
    assert "Examples:" in ran.out
    assert "Options of every command:" in ran.out
    assert all(len(line) <= 100 for line in ran.out.splitlines())
    assert console.plane.calls == []


@pytest.mark.parametrize("name", [name for name in ALL if name != "completion"])
def test_the_examples_can_be_said(name: str) -> None:
    examples = ALL[name].examples
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        words = words[words.index("msxfctl") + 1 :]
        assert " ".join(words).startswith(name)
        own = words[len(name.split()) :]
        own = [word for word in own if not word.startswith("../")] if "--source" not in own else ["risk", "--version", "1.5.0"]
        ALL[name].make_context(name, own, obj=Asked())


@pytest.mark.parametrize("name", CHANGING)
def test_a_change_takes_a_reason_and_a_dry_run(name: str) -> None:
    options = {option for param in ALL[name].params for option in (*param.opts, *param.secondary_opts)}
    assert {"--reason", "--dry-run"} <= options
    if name in WAITING:
        assert {"--wait", "--no-wait", "--timeout"} <= options


@pytest.mark.parametrize("name", ALL)
def test_every_option_has_its_help(name: str) -> None:
    assert [param.name for param in ALL[name].params if isinstance(param, click.Option) and not param.help] == []


def test_the_overview_names_every_command(console: Console) -> None:
    for args in ((), ("--help",), ("-h",)):
        ran = console.run(*args)
        assert ran.status == 0
        assert all(f"\n  {name} " in ran.out for name in TOLD)


@pytest.mark.parametrize("group", ["catalog", "token", "journal", "artifact"])
def test_a_group_alone_lists_its_commands(group: str, console: Console) -> None:
    ran = console.run(group)
    assert (ran.status, "Commands:" in ran.out) == (0, True)
