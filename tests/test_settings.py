"""Settings from the environment: safe defaults, and a clear no to nonsense."""

from pathlib import Path

import pytest

from ctl import settings
from ctl.errors import BadInput


def test_defaults_stay_inside_the_project(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    known = settings.load({}, tmp_path)
    assert (known.home, known.catalog, known.root) == (tmp_path / ".msxfctl", tmp_path / "catalog", tmp_path)
    assert (known.environment, known.gateway, known.api_port) == ("local", "auto", 0)
    assert known.socket == tmp_path / ".msxfctl" / "msxfctl.sock"


def test_outside_a_project_the_shipped_catalog_is_used(tmp_path: Path) -> None:
    known = settings.load({}, tmp_path)
    assert known.home == tmp_path / ".msxfctl"
    assert list(known.catalog.glob("*/risk.yaml"))
    assert (known.templates / "gateway").is_dir()
    assert (known.root / "reference_apps").is_dir()


def test_what_is_set_counts(tmp_path: Path) -> None:
    given = {"MSXFCTL_HOME": "/x/home", "MSXFCTL_CATALOG": "/x/catalog", "MSXFCTL_ENV": "prod", "MSXFCTL_PORTS": "20000-20100", "MSXFCTL_API_PORT": "7070"}
    known = settings.load(given, tmp_path)
    assert (known.home, known.catalog, known.environment) == (Path("/x/home"), Path("/x/catalog"), "prod")
    assert (known.ports_from, known.ports_to, known.api_port) == (20000, 20100, 7070)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MSXFCTL_GATEWAY", "nginx"),
        ("MSXFCTL_PORTS", "80-90"),
        ("MSXFCTL_PORTS", "3000-2000"),
        ("MSXFCTL_PORTS", "many"),
        ("MSXFCTL_API_PORT", "70000"),
        ("MSXFCTL_GATEWAY_PORT", "x"),
    ],
)
def test_nonsense_is_named(name: str, text: str) -> None:
    with pytest.raises(BadInput, match=name) as refused:
        settings.load({name: text})
    assert refused.value.remedy


def test_a_home_too_deep_for_sockets_is_refused() -> None:
    with pytest.raises(BadInput, match="too long"):
        settings.load({"MSXFCTL_HOME": "/" + "deep/" * 20})
