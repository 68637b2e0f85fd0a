"""An instance of fraud that answers events until it is killed: `python -m tests.apps.fraud_crash FOLDER FIRST` says what it answered."""

import asyncio
import sys
from pathlib import Path

from reference_apps.fraud.policy import policy
from reference_apps.fraud.serving.desk import Desk
from tests.apps.fraud_work import shuffled_log

COUNT, AT_ONCE, SNAPSHOT_S = 4_000, 16, 0.02


async def serve(folder: Path, first: int) -> None:
    """Answer events from `first` on, snapshots all the time."""
    desk = Desk(folder, "fraud-1", policy.load())
    await desk.open()
    log, numbers = shuffled_log(COUNT, seed=21), iter(range(first, COUNT))

    async def one_after_the_other() -> None:
        for number in numbers:
            position, judged = await desk.check(log[number])
            print(number, position, judged.hex(), flush=True)

    async def snapshots() -> None:
        while True:
            await desk.follower.snapshot()
            await asyncio.sleep(SNAPSHOT_S)

    watching = asyncio.create_task(snapshots())
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    watching.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
