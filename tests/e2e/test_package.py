"""What `pip install .` gives: a working msxfctl in an empty environment, with its catalog and templates inside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of a fresh environment that msxfctl was installed into from the source tree."""
    uv = ROOT / ".boot" / "uv" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("needs the uv of `make test`") if not os.environ.get("CI") else pytest.fail("`make test` did not bring uv")
    folder = tmp_path_factory.mktemp("installed") / "env"
    install = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), str(ROOT)]
    for command in (["venv", "--quiet", "--python", sys.executable, str(folder)], install):
        done = subprocess.run([uv, *command], capture_output=True, text=True, timeout=100, check=False, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
    return folder / "bin"


def _run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.defpath, "HOME": str(cwd), "NO_COLOR": "1"}
    return subprocess.run([installed / "msxfctl", *words], cwd=cwd, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_command_works_far_from_the_sources(installed: Path, tmp_path: Path) -> None:
    assert _run(installed, tmp_path, "version").returncode == 0
    valid = _run(installed, tmp_path, "catalog", "validate")
    assert valid.returncode == 0, valid.stdout + valid.stderr
    assert "312 services" in valid.stdout + valid.stderr


def test_it_brings_up_builds_and_releases(installed: Path, tmp_path: Path) -> None:
    try:
        version = ["holiday-calendar", "--version", "1.0.0"]
        for words in (["up"], ["build", *version], ["deploy", *version, "--reason", "from a wheel"]):
            done = _run(installed, tmp_path, *words)
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    finally:
        down = _run(installed, tmp_path, "down")
    assert down.returncode == 0, down.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == [".msxfctl"], "nothing is written outside the state folder"
