"""What the tests of the command line share."""

import pytest

from tests.cli.console import Console


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("NO_COLOR", "MSXFCTL_SERVER", "MSXFCTL_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("MSXFCTL_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def console() -> Console:
    return Console()
