"""An instance of fraud whose alerts are claimed and decided until it is killed: `python -m tests.apps.fraud_cases_crash FOLDER LIFE` says what it answered."""

import asyncio
import sys
from pathlib import Path

from reference_apps.fraud.cases import reading
from reference_apps.fraud.keeping.people import Person, Role
from tests.apps.fraud_cases import Client, farm, opened

OUTCOMES = ("confirmed_fraud", "false_alarm", "inconclusive")


async def serve(folder: Path, life: str) -> None:
    """Open farms of devices, claim and decide their cases, with snapshots of the cases all the time."""
    async with opened(folder) as app:
        client = Client(app, app.people.add(Person(id=f"li-{life}", name="Li", role=Role.ANALYST)) or "")

        async def snapshots() -> None:
            while True:
                await asyncio.to_thread(reading.write, folder, reading.snapshot(app.cases.book), "crash")
                await asyncio.sleep(0.01)

        watching = asyncio.create_task(snapshots())
        for number in range(10_000):
            who = f"{life}-{number}"
            answers = await farm(client, f"device of {who}", [f"{who}-{place}" for place in range(4)])
            name = answers[2]["case"]
            claimed = await client.post(f"/v1/cases/{name}/claim", {})
            print("claimed", name, claimed["status"], flush=True)
            outcome = OUTCOMES[number % 3]
            decided = await client.post(f"/v1/cases/{name}/decide", {"version": claimed["version"], "outcome": outcome})
            print("decided", name, decided["status"], outcome, decided.get("alert_count"), flush=True)
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
