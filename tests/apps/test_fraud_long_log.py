"""A long log and what a start makes of it: bulk reads of states, and the bench's log, laid down in bulk, which must be what an instance leaves."""

import asyncio
import sqlite3
from pathlib import Path
from shutil import copy

from bench.laying import lay_down
from reference_apps.fraud.cases import reading
from reference_apps.fraud.features.shard import ALL
from reference_apps.fraud.keeping.log import Log
from reference_apps.fraud.keeping.snapshots import Snapshots, edition
from reference_apps.fraud.serving.follower import Follower

SEVERAL = 3_000


def _states(folder: Path) -> dict[tuple[str, str], bytes]:
    connection = sqlite3.connect(folder / f"features-{edition()}.db")
    try:
        return {(name, key): content for name, key, content in connection.execute("SELECT name, key, content FROM states")}
    finally:
        connection.close()


async def _followed(folder: Path) -> int:
    """Replay all of a log without snapshots, as an instance would, and write the first one."""
    log, snapshots = Log(folder, "fraud-1"), Snapshots(folder)
    snapshots.rest = 0.0
    follower = Follower(log, snapshots)
    await follower.begin(ALL)
    position = await follower.snapshot()
    snapshots.close()
    log.close()
    return position


def test_what_the_bench_lays_down_is_what_an_instance_leaves(tmp_path: Path) -> None:
    laid, lived = tmp_path / "laid", tmp_path / "lived"
    lay_down(laid, SEVERAL, unsaved=0)
    lived.mkdir()
    copy(laid / "events.db", lived)
    assert asyncio.run(_followed(lived)) == SEVERAL
    assert _states(laid) == _states(lived)
    log, one, other = Log(laid, "fraud-1"), Snapshots(laid), Snapshots(lived)
    assert (sorted(one.links()), one.mark(ALL)) == (sorted(other.links()), other.mark(ALL))
    assert reading.path_of(laid).read_bytes() == reading.snapshot(reading.whole(log))
    for each in (log, one, other):
        each.close()
