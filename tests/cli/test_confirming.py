"""Dangerous commands in prod: a tier 0 service's name is typed, or --yes is given; never a question without a terminal."""

import pytest

from tests.cli import stories
from tests.cli.console import Console
from tests.cli.memory_plane import service

DANGEROUS = ("deploy ledger --version 2.0.0 --no-wait", "rollback ledger --no-wait", "promote ledger --full", "scale ledger 1")
RESCUES = ("pause ledger", "resume ledger", "abort ledger --no-wait", "promote ledger")


@pytest.fixture
def prod(console: Console) -> Console:
    console.plane.environment = "prod"
    console.plane.story("ledger", (stories.rollout("ledger"), service("ledger", tier=0)))
    return console


@pytest.mark.parametrize("command", DANGEROUS)
def test_without_a_terminal_it_fails_and_names_the_flag(command: str, prod: Console) -> None:
    ran = prod.run(*command.split())
    assert (ran.status, prod.plane.changes) == (3, [])
    assert "add --yes" in ran.err
    assert "tier 0 in prod" in ran.err


@pytest.mark.parametrize("command", DANGEROUS)
def test_the_name_is_typed(command: str, prod: Console) -> None:
    ran = prod.run(*command.split(), typed="ledger\n")
    assert (ran.status, len(prod.plane.changes)) == (0, 1)
    assert "ledger is tier 0 in prod. Type ledger to " in ran.err


@pytest.mark.parametrize("command", DANGEROUS)
@pytest.mark.parametrize("typed", ["yes\n", "", "risk\n"])
def test_anything_else_changes_nothing(command: str, typed: str, prod: Console) -> None:
    ran = prod.run(*command.split(), typed=typed)
    assert (ran.status, prod.plane.changes) == (3, [])


@pytest.mark.parametrize("command", DANGEROUS)
def test_yes_answers_before_it_is_asked(command: str, prod: Console) -> None:
    assert prod.run(*command.split(), "--yes").status == 0
    assert len(prod.plane.changes) == 1


@pytest.mark.parametrize("command", [one for one in DANGEROUS if "--version" in one or "--full" in one])
def test_a_dry_run_asks_nothing(command: str, prod: Console) -> None:
    assert prod.run(*command.split(), "--dry-run").status == 0


@pytest.mark.parametrize("command", RESCUES)
def test_what_helps_at_night_is_never_asked_about(command: str, prod: Console) -> None:
    assert prod.run(*command.split()).status == 0


@pytest.mark.parametrize(("environment", "tier"), [("local", 0), ("prod", 1)])
def test_elsewhere_nobody_is_asked(environment: str, tier: int, console: Console) -> None:
    console.plane.environment = environment
    console.plane.known["ledger"] = service("ledger", tier=tier)
    assert console.run("scale", "ledger", "2").status == 0
