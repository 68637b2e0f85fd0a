"""Where Envoy cannot run the small proxy stands in: the same upgrades under load, and no failed request."""

from pathlib import Path

from tests.e2e.plant import WANTED, assert_none_failed, running_plant, under_load


def test_an_upgrade_of_everything_fails_no_request(tmp_path: Path) -> None:
    with running_plant(tmp_path, MSXFCTL_GATEWAY="proxy") as plant:
        assert "proxy" in (plant.home / "run" / "gateway.pid").read_text().split()
        with under_load(plant) as load:
            for service in WANTED:
                plant.certified(plant.release(service))
                plant.settled(service)
                plant.untouched(service)
        assert_none_failed(load.tally)
        assert load.tally.statuses[200] > 200
