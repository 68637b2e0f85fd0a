"""What went wrong, in words, in JSON and as an exit status; and input that is refused before anything is asked of the plane."""

import json
import shlex

import pytest

from ctl import errors
from ctl.errors import CtlError
from ctl.model.view import ServiceRow
from tests.cli.console import Console
from tests.cli.memory_plane import MemoryPlane

CLASSES: dict[type[CtlError], tuple[int, str]] = {
    errors.CtlError: (1, "Failed"),
    errors.BadInput: (2, "Bad input"),
    errors.Refused: (3, "Refused"),
    errors.UnsafePlan: (3, "Refused"),
    errors.LeaseHeld: (3, "Refused"),
    errors.StaleRevision: (3, "Refused"),
    errors.DigestMismatch: (3, "Refused"),
    errors.Unauthorised: (3, "Not allowed"),
    errors.Forbidden: (3, "Not allowed"),
    errors.NotFound: (4, "Not found"),
    errors.BackendError: (5, "Out of reach"),
    errors.TimedOut: (7, "Timed out"),
}


def family(kind: type[CtlError]) -> set[type[CtlError]]:
    """Return the classes of the error tree that are raised by the plane."""
    return {kind, *(each for child in kind.__subclasses__() for each in family(child) if each.__module__ == "ctl.errors")}


def test_every_class_has_its_words() -> None:
    assert set(CLASSES) == family(CtlError) - {errors.CatalogMistakes}


def test_many_mistakes_are_cut(console: Console) -> None:
    files = [f"catalog/middle/s{number}.yaml" for number in range(50)]
    mistakes = [errors.Mistake(file=file, line=3, field="tier", message="is no number", remedy="write 1") for file in files]
    console.plane.failing["services"] = errors.CatalogMistakes(mistakes, services=312)
    ran = console.run("services")
    lines = ran.err.splitlines()
    assert (ran.status, lines[0]) == (2, "Bad input: 50 mistakes in 312 services of the catalog; nothing was loaded")
    assert lines[-2:] == ["  … and 30 more", "  next    put them right; msxfctl catalog validate shows them all"]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_says_what_was_found_and_what_to_do(kind: type[CtlError], console: Console) -> None:
    status, head = CLASSES[kind]
    console.plane.failing["services"] = kind("risk 1.5.0 is not deployed", found="a freeze", remedy="wait")
    ran = console.run("services")
    assert (ran.status, ran.out) == (status, "")
    assert ran.err == f"{head}: risk 1.5.0 is not deployed\n  found   a freeze\n  next    wait\n"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_program_gets_the_error_on_standard_error(kind: type[CtlError], console: Console) -> None:
    console.plane.failing["services"] = kind("no", found="a", remedy="b")
    ran = console.run("services", "-o", "json")
    assert (ran.status, ran.out) == (kind.exit_code, "")
    known = {"code": kind.code, "message": "no", "found": "a", "remedy": "b", "exit_code": kind.exit_code, "retryable": kind.retryable}
    assert json.loads(ran.err) == {"schema": "msxfctl/error/1", **known}


def test_a_defect_is_one_line_and_v_shows_where(console: Console) -> None:
    del console.plane.calls
    ran = console.run("services")
    assert ran.status == 1
    assert ran.err.startswith("Failed: AttributeError: ")
    assert "Traceback" not in ran.err
    shown = console.run("services", "-v")
    assert "Traceback" in shown.err
    assert "memory_plane.py" in shown.err


def test_v_shows_where_an_error_comes_from(console: Console) -> None:
    console.plane.failing["services"] = errors.NotFound("no")
    assert "Traceback" not in console.run("services").err
    assert "Traceback" in console.run("services", "--verbose").err


MISTAKES: dict[str, str] = {
    "deplyo risk --version 1.5.0": "there is no command 'deplyo'; did you mean msxfctl deploy?",
    "catalog lits": "there is no command 'lits'; did you mean msxfctl catalog list?",
    "deploy risk": "--version",
    "deploy --version 1.5.0": "SERVICE",
    "deploy risk --versoin 1.5.0": "--version",
    "deploy risk --version ../../etc": "is no version",
    "deploy risk --version": "--version",
    "deploy ri/sk --version 1.5.0": "'ri/sk' is no name of a service",
    "deploy risk --version 1.5.0 --approve xyz": "is no checksum of a plan",
    "deploy risk --version 1.5.0 --approve 7c1f": "is no checksum of a plan",
    "deploy risk fraud --version 1.5.0 --approve 7c1f20de": "--approve is for one plan",
    "deploy risk --version 1.5.0 --timeout soon": "write it as 90s, 15m or 2h",
    "deploy risk --version 1.5.0 --timeout=-3s": "is no length of time",
    "deploy risk --version 1.5.0 --parallel 0": "--parallel",
    "deploy risk --version 1.5.0 --strategy yolo": "--strategy",
    "scale risk many": "many",
    "scale risk -- -1": "-1",
    "scale risk 1.5": "1.5",
    "scale risk": "how many instances?",
    "scale risk 3 --reset": "how many instances?",
    "rollback risk --to ''": "is no version",
    "build risk --version 1.5.0 --source /nowhere/at/all": "does not exist",
    "logs risk --last 0": "--last",
    "logs risk --level loud": "--level",
    "journal list --limit 0": "--limit",
    "journal list --after -1": "--after",
    "token create ci": "--role",
    "token create ci --role king": "--role",
    "token create ci --role viewer --ttl never": "is no length of time",
    "token create ci --role viewer --file /nowhere/at/all/x": "cannot be written",
    "services --state fine": "--state",
    "services -o xml": "--output",
    "status risk fraud": "fraud",
    "completion tcsh": "tcsh",
    "up --server http://127.0.0.1:1": "on its own machine",
    "down --server http://127.0.0.1:1": "on its own machine",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_bad_input_is_refused_and_nothing_is_asked(command: str, console: Console) -> None:
    ran = console.run(*shlex.split(command))
    assert (ran.status, ran.out) == (2, "")
    assert MISTAKES[command] in " ".join(ran.err.split())
    assert "  next    " in ran.err
    assert console.plane.calls == []


@pytest.mark.parametrize("shape", ["-o json", "-ojson", "--output=json", "--output json"])
def test_bad_input_is_json_too_where_that_was_wished(shape: str, console: Console) -> None:
    said = json.loads(console.run("deploy", "risk", "--nonsense", *shape.split()).err)
    assert (said["code"], said["exit_code"]) == ("usage", 2)
    assert said["remedy"] == "msxfctl deploy --help"


def test_an_unknown_service_is_named_with_one_that_comes_near(console: Console) -> None:
    ran = console.run("show", "risky")
    assert ran.status == 4
    assert "did you mean risk?" in ran.err
    several = console.run("deploy", "fruad", "risk", "--version", "1.5.0", "--yes")
    assert (several.status, console.plane.changes) == (4, [])
    assert "did you mean fraud?" in several.err


class Interrupted(MemoryPlane):
    def services(self, *, domain: str = "", match: str = "") -> list[ServiceRow]:
        raise KeyboardInterrupt


def test_an_interrupt_is_130_and_silent() -> None:
    ran = Console(plane=Interrupted()).run("services")
    assert (ran.status, ran.out, ran.err.strip()) == (130, "", "")
