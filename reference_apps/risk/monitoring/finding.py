"""From monitored rows to what an instance says of its release: only the packages it decides with itself, and only on enough decisions. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctl.kit.health import MOST_SAID, MOST_SUBJECT, Finding
from reference_apps.risk.measures.drift import LEAST_N, Verdict
from reference_apps.risk.monitoring.model import Row

KIND = "drift"
SILENT = frozenset({Verdict.TOO_FEW, Verdict.NOT_KNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The packages by hash: what decides, what scores in shadow (empty: nothing), and what the release brought, which a published one may have replaced."""

    champion: str
    release: str
    challenger: str = ""

    def has(self, row: Row) -> bool:
        """Whether a row is about a package in force here: the log has those of other releases too."""
        return row.package == (self.champion if row.role == "champion" else self.challenger)

    def is_about(self, row: Row) -> bool:
        """Whether a row speaks of a package in force here, in whatever role it was seen: what a challenger showed is known when it becomes champion."""
        return row.package == self.champion or self.has(row)


def findings(rows: Sequence[Row], carried: Carried, min_n: int = LEAST_N) -> list[Finding] | None:
    """Return what to say of the packages in force; None: too little was decided by the champion yet to say anything.

    The champion's drift asks for action where a release can take its package back; a challenger's, or a published package's, is there to be seen.
    """
    own = [row for row in rows if carried.is_about(row) and row.n >= min_n and row.verdict not in SILENT]
    if not any(row.package == carried.champion for row in own):
        return None
    return [_finding(row, carried) for row in own if row.verdict is Verdict.ACT]


def _finding(row: Row, carried: Carried) -> Finding:
    acts = row.package == carried.champion == carried.release
    subject = f"{row.model} x {row.segment} x {row.scene}"
    subject = subject if row.role == "champion" else f"{row.role} {subject}"
    text = said(row) + ("" if row.package != carried.champion or acts else "; it was published, so publish the last one again")
    return Finding(kind=KIND, subject=subject[:MOST_SUBJECT], asks="act" if acts else "watch", n=row.n, said=text[:MOST_SAID])


def said(row: Row) -> str:
    """Say in one sentence what has drifted."""
    where = "" if (row.scene, row.segment) == ("*", "*") else f" in {row.scene} / {row.segment}"
    return f"the {row.role}'s {row.model} has drifted{where}: PSI {row.psi:.2f} over {row.n:,} decisions"
