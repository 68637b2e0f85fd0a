"""Tables to learn from: small ones made here, the made-up population, and real credit data where they lie beside the project."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reference_apps.risk.training import boosting, commands, mapping, table
from reference_apps.risk.training.faults import BadTraining
from reference_apps.risk.training.mapping import Mapping
from reference_apps.risk.training.table import Table

HOME = Path(os.environ.get("MSXF_CREDIT_DATA") or Path(__file__).parents[2].parent / "shared" / "data" / "credit")
GERMAN = [
    "status", "months", "history", "purpose", "amount", "savings", "employment", "rate", "personal", "debtors",
    "residence", "property", "age", "plans", "housing", "credits", "job", "dependants", "telephone", "foreign",
]  # fmt: skip
GERMAN_NUMBERS = {"months", "amount", "rate", "residence", "age", "credits", "dependants"}


def needs_library() -> None:
    """Skip where LightGBM cannot be loaded; in CI that is a failure."""
    try:
        boosting.library()
    except BadTraining as error:
        pytest.fail(str(error)) if os.environ.get("CI") else pytest.skip(str(error))


def of(lines: list[str], meaning: Mapping) -> Table:
    return table.parse([f"{line}\n" for line in lines], meaning, "digest")


def meaning(*variables: dict[str, Any], **more: Any) -> Mapping:
    return mapping.of({"name": "small", "label": {"column": "bad"}, "variables": list(variables), **more}, "mapping")


def made(columns: dict[str, Any], bad: Any) -> Table:
    """A table of columns."""
    return Table(columns={name: np.asarray(column) for name, column in columns.items()}, bad=np.asarray(bad, dtype=float), digest="digest")


def population(n: int, seed: int = 7) -> tuple[Table, Mapping]:
    meant = mapping.read(commands.OWN_MAPPING)
    return commands.made_up(n, seed, meant), meant


def german() -> tuple[Table, Mapping]:
    """Statlog German Credit: 1,000 rows, 300 bad."""
    file = {"delimiter": " ", "header": [*GERMAN, "class"]}
    variables = [{"name": name, "type": "integer" if name in GERMAN_NUMBERS else "text"} for name in GERMAN]
    label = {"column": "class", "good": ["1"], "bad": ["2"]}
    return _real("german.data", {"name": "german", "file": file, "label": label, "variables": variables, "folds": 10, "seed": 1})


def taiwan() -> tuple[Table, Mapping]:
    """Default of Credit Card Clients: 30,000 rows, 6,636 bad."""
    months = [0, 2, 3, 4, 5, 6]
    named = ["LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE", *(f"PAY_{each}" for each in months)]
    named += [f"{kind}_AMT{each}" for kind in ("BILL", "PAY") for each in range(1, 7)]
    variables = [{"name": name.lower(), "column": name, "type": "integer"} for name in named]
    label = {"column": "default.payment.next.month"}
    return _real("taiwan.csv", {"name": "taiwan", "label": label, "excluded": {"ID": "an id"}, "variables": variables, "folds": 5, "seed": 1})


def _real(name: str, document: dict[str, Any]) -> tuple[Table, Mapping]:
    if not (HOME / name).is_file():
        pytest.skip(f"there is no {name} in {HOME}: MSXF_CREDIT_DATA names the folder of the real credit data")
    meant = mapping.of(document, name)
    return table.read(HOME / name, meant), meant
