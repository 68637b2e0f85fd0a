"""Tries rules on the instance's own log in a process of its own, one at a time: verdicts go on meanwhile. What was tried is logged, with who wanted it."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctl.kit.problem import Problem
from reference_apps.fraud.cases.desk import CaseDesk
from reference_apps.fraud.notes import Trial
from reference_apps.fraud.policy.switching import content_of, with_rule
from reference_apps.fraud.trying.history import Wish

ROOT = Path(__file__).parents[3]
LONGEST_S = 1800.0
POLITE = 10
"""The process's niceness: decisions go first."""

log = logging.getLogger("fraud.trying")


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial that came to nothing, and why."""

    why: str


class Bench:
    """Use it from one event loop."""

    def __init__(self, cases: CaseDesk, folder: Path) -> None:
        self.cases, self._folder = cases, folder
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, Failed] = {}

    def begin(self, trial_id: str, by: str, rule: dict[str, Any], days: int | None) -> None:
        """Begin to try a rule that the policy in force can take in. Raises BadPolicy, and Problem (429) while another trial runs."""
        if self._running:
            raise Problem(429, "busy", f"trial {next(iter(self._running))} runs", remedy="one at a time: ask for it, and begin when it is over")
        text = with_rule(self.cases.desk.policy, rule).text
        self._failed.pop(trial_id, None)
        self._running[trial_id] = asyncio.create_task(self._run(trial_id, by, rule, Wish(text=text, rule=rule["id"], days=days)))

    def find(self, trial_id: str) -> Trial | Failed | None:
        """Return a trial that is over; None: it runs. Raises Problem (404)."""
        for each in self.cases.book.kept.trials:
            if each.id == trial_id:
                return each
        if trial_id in self._failed:
            return self._failed[trial_id]
        if trial_id in self._running:
            return None
        raise Problem(404, "trial_not_found", f"there is no trial {trial_id}", remedy="while it runs, only the instance that began it knows it: ask again")

    async def close(self) -> None:
        """End what runs."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _run(self, trial_id: str, by: str, rule: dict[str, Any], wish: Wish) -> None:
        try:
            table = await asyncio.wait_for(self._asked(wish), LONGEST_S)
            note = Trial(
                id=trial_id, by=by, at_ms=self.cases.now_ms(), rule=rule["id"], content=content_of(rule), events=table["events"], table=table
            )
            await self.cases.put(note)
        except (Problem, OSError, ValueError, TimeoutError) as error:
            log.warning("trial %s came to nothing: %s", trial_id, error)
            self._failed[trial_id] = Failed(str(error) or f"it took longer than {LONGEST_S:g} s")
        finally:
            self._running.pop(trial_id, None)

    async def _asked(self, wish: Wish) -> dict[str, Any]:
        """Have a process do it. It is ended if nobody waits for it any more."""
        days = ["--days", str(wish.days)] if wish.days else []
        command = [sys.executable, "-m", "reference_apps.fraud", "try", "--log", str(self._folder.resolve()), "--policy", "-", "--rule", wish.rule or "", *days]
        pipe, environ = asyncio.subprocess.PIPE, os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", str(POLITE), *command, "-o", "json", stdin=pipe, stdout=pipe, stderr=pipe, env=environ
        )
        try:
            out, error = await process.communicate((wish.text or "").encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise ValueError(error.decode(errors="replace").strip()[-500:] or f"the process ended with {process.returncode}")
        told: dict[str, Any] = json.loads(out)
        return told
