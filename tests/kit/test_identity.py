"""The environment as values."""

from pathlib import Path

import pytest

from ctl.kit.identity import Identity, config


def test_everything_a_runtime_says() -> None:
    told = {
        "MSXF_SERVICE": "risk",
        "MSXF_RELEASE": "1.2.0-deadbeef",
        "MSXF_INSTANCE": "risk-1.2.0-deadbeef-1",
        "MSXF_ENV": "prod",
        "MSXF_ZONE": "z2",
        "MSXF_PORT": "18004",
        "MSXF_DATA_DIR": "/srv/risk",
        "MSXF_GATEWAY": "http://127.0.0.1:10000/",
        "MSXF_DEPENDS_ON": "fraud, feature-store,,",
    }
    assert Identity.from_environ(told) == Identity(
        service="risk",
        release="1.2.0-deadbeef",
        instance="risk-1.2.0-deadbeef-1",
        environment="prod",
        zone="z2",
        port=18004,
        data_dir=Path("/srv/risk"),
        gateway="http://127.0.0.1:10000",
        depends_on=("fraud", "feature-store"),
    )


def test_by_hand_nothing_needs_to_be_said() -> None:
    one = Identity.from_environ({})
    assert (one.service, one.port, one.gateway, one.depends_on) == ("unnamed", 0, "", ())
    assert one.data_dir.is_absolute()


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5", "１"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(ValueError, match="MSXF_PORT is"):
        Identity.from_environ({"MSXF_PORT": port})


def test_a_config_key_is_found_under_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSXF_CONFIG_PRICE_TABLE_V2", "t2")
    assert config("price.table-v2") == "t2"
    assert config("price.none", "default") == "default"
