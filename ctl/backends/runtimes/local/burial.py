"""The end of an instance: nothing of it runs any more, its records are gone, its log stays until many newer ones of its service have ended."""

import asyncio
import logging
from pathlib import Path
from time import monotonic

from ctl.backends.runtimes.local import files, locks, logfiles, processes, wire
from ctl.backends.runtimes.local.processes import Process
from ctl.backends.runtimes.local.site import Site

log = logging.getLogger(__name__)
KEPT_LOGS = 20
POLL_S, STUBBORN_S, GIVE_UP_S = 0.005, 0.5, 5.0
TOLD_S = 2.0


async def how_it_ended(site: Site, instance: str, generation: int) -> wire.Record | None:
    """Return the record of a process that is known to have ended, once its launcher has written how; None when there is no record of it."""
    deadline = monotonic() + TOLD_S
    while True:
        record = wire.read_record(site.record(instance))
        if record is None or record.generation != generation:
            return None
        if record.ended_at is not None or monotonic() > deadline or not processes.is_alive(record.launcher):
            return record
        await asyncio.sleep(POLL_S)


async def kill(site: Site, instance: str, process: Process | None) -> bool:
    """Kill whatever runs of an instance and return once nothing does; False when something still does after a while."""
    began = monotonic()
    while True:
        process = process or _recorded(site, instance)
        if process is not None:
            processes.kill_group(process)
            if monotonic() - began > STUBBORN_S:
                processes.kill_session(process)
        if not (process is not None and processes.runs(process)) and not locks.is_held(site.lock(instance)):
            return True
        if monotonic() - began > GIVE_UP_S:
            log.error("%s: processes of it cannot be killed", instance)
            return False
        await asyncio.sleep(POLL_S)


def bury(site: Site, service: str, instance: str) -> None:
    """Delete the records of an instance of which nothing runs, and the logs of those that ended long before it."""
    site.record(instance).unlink(missing_ok=True)
    locks.discard(site.lock(instance))
    before = (files.read(_gone(site, service)) or {}).get("instances", [])
    gone = [*(each for each in before if each != instance), instance]
    for old in gone[:-KEPT_LOGS]:
        logfiles.discard(site.log(old))
    files.write(_gone(site, service), {"instances": gone[-KEPT_LOGS:]})


def revive(site: Site, service: str, instances: list[str]) -> None:
    """Take instances that live again, under names that were used before, off the list of the gone."""
    before = (files.read(_gone(site, service)) or {}).get("instances", [])
    if set(before) & set(instances):
        files.write(_gone(site, service), {"instances": [each for each in before if each not in instances]})


def _recorded(site: Site, instance: str) -> Process | None:
    """The process that is on record as running; where its end is on record, the launcher has ended the rest of it too."""
    record = wire.read_record(site.record(instance))
    return record.process if record is not None and record.ended_at is None and record.boot == processes.boot() else None


def _gone(site: Site, service: str) -> Path:
    return site.gone / f"{service}.json"
