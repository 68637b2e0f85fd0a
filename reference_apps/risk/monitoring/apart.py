"""A look at the log in a process of its own, which gives way to decisions: what it takes would hold them up in a thread as much as on the event loop."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from ctl.kit.database import DatabaseFailed
from ctl.kit.problem import Problem
from reference_apps.risk.monitoring import gathering
from reference_apps.risk.monitoring.model import Report

ROOT = Path(__file__).parents[3]
LONGEST_S = 600.0
POLITE = 19


async def gather(data: Path, last: int) -> Report:
    """Return the report over the newest `last` decisions. Raises Problem (503). The process ends with whoever waits for it."""
    command = [sys.executable, "-m", __name__, str(data.resolve()), str(last)]
    environ = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("nice", "-n", str(POLITE), *command, stdout=pipe, stderr=pipe, env=environ)
    try:
        out, error = await asyncio.wait_for(process.communicate(), LONGEST_S)
    except (asyncio.CancelledError, TimeoutError) as ended:
        process.kill()
        await process.wait()
        if isinstance(ended, TimeoutError):
            raise _failed(f"it took longer than {LONGEST_S:g} s") from ended
        raise
    if process.returncode:
        raise _failed(error.decode(errors="replace").strip()[-500:] or f"the process ended with {process.returncode}")
    return msgspec.msgpack.decode(out, type=Report)


def _failed(why: str) -> Problem:
    return Problem(503, "not_looked_at", f"the decisions cannot be looked at: {why}", remedy="correct that, or ask again later")


def main() -> None:
    """Write the report to standard output."""
    try:
        report = gathering.gather(Path(sys.argv[1]), int(sys.argv[2]))
    except (DatabaseFailed, Problem) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.buffer.write(msgspec.msgpack.encode(report))


if __name__ == "__main__":
    main()
