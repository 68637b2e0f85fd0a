"""Processes and a gateway that end with the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.running import Gateway, Launcher


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()
