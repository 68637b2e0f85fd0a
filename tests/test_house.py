"""The house keeps its shape: walls between rooms, types, style, and the size of things."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
CODE = ("ctl", "reference_apps", "bench")
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [["lint-imports", "--no-cache"], ["ruff", "check", "--no-cache", "."], ["mypy"]],
    ids=lambda command: str(command[0]),
)
def test_tool(command: list[str]) -> None:
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_is_looked_at() -> None:
    assert len(files(*CODE)) > 100
    assert ROOT / "ctl" / "decide" / "rollout.py" in files(*CODE)


@pytest.mark.parametrize("path", files(*CODE), ids=names(files(*CODE)))
def test_file(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    if path.name == "__init__.py" and not text:
        return
    assert ast.get_docstring(parsed(path)), "a module opens with one sentence: what it holds and its rule"
    for function in functions(path):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= LONGEST_FUNCTION, f"{function.name} has {length} lines"


@pytest.mark.parametrize("path", files("tests"), ids=names(files("tests")))
def test_file_of_tests(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), "a module opens with one sentence"


def test_only_the_screens_print() -> None:
    speaking = []
    for path in files("ctl", "reference_apps"):
        calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
        if any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls):
            speaking.append(str(path.relative_to(ROOT)))
    assert [name for name in speaking if not name.startswith("ctl/cli/show")] == []
    assert speaking, "the screens do print, or this test looks at nothing"


@pytest.mark.parametrize("folder", ["decide", "control"])
def test_nothing_is_mocked_where_memory_and_a_clock_do(folder: str) -> None:
    found = files(f"tests/{folder}")
    assert found
    for path in found:
        imported = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not [node for node in imported if "mock" in ast.dump(node)], path


def test_thinking_never_waits_and_never_reads_a_clock() -> None:
    for path in files("ctl/decide", "ctl/model"):
        for node in ast.walk(parsed(path)):
            called = node.func if isinstance(node, ast.Call) else None
            assert not (isinstance(called, ast.Attribute) and called.attr in ("now", "today", "utcnow", "sleep")), f"{path}:{called.lineno if called else 0}"
            assert not isinstance(node, ast.Await | ast.AsyncFunctionDef), path
