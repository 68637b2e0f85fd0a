"""Cases as JSON text for the store, and back. Pure."""

import json
from dataclasses import asdict

from reference_apps.approval.model import Case, Offer, Reason, Stage, Status


def encode(case: Case) -> str:
    return json.dumps(asdict(case), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decode(text: str) -> Case:
    row = json.loads(text)
    row["status"], row["stage"] = Status(row["status"]), Stage(row["stage"])
    row["passed"] = tuple(Stage(stage) for stage in row["passed"])
    row["reasons"] = tuple(Reason(**reason) for reason in row["reasons"])
    row["offer"] = Offer(**row["offer"]) if row["offer"] else None
    return Case(**row)
