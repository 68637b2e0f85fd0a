"""The commands that make packages: train, and population, which writes the made-up table. What they find goes to the output line by line."""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference_apps.risk.packages import reading, writing
from reference_apps.risk.packages.model import Package
from reference_apps.risk.population import writing as population
from reference_apps.risk.training import mapping, pipeline, table
from reference_apps.risk.training.card import TITLES
from reference_apps.risk.training.faults import BadTraining, refuse
from reference_apps.risk.training.mapping import Mapping as Meaning
from reference_apps.risk.training.table import Table

FINE, REFUSED = 0, 3
OWN_MAPPING = Path(__file__).parent / "population.yaml"
Verb = Callable[[str, str, Callable[[Any], int]], argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Add the commands to a parser; `verb` takes name, help and what runs."""
    train = verb("train", "learn a scorecard and trees from a labelled table, judge them, and write a package", train_package)
    source = train.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="a CSV file; needs --mapping")
    source.add_argument("--population", type=int, metavar="N", help="N customers of the made-up population instead")
    train.add_argument("--mapping", type=Path, help="what the columns mean (YAML); docs/risk-training.md describes it")
    train.add_argument("--seed", type=int, default=7, help="of the made-up population")
    train.add_argument("--base", type=Path, help="the package whose rules, lists, prices and routes are kept; with --population the one that ships")
    train.add_argument("--out", type=Path, required=True, help="the folder to write; it must not be there yet")
    people = verb("population", "write the made-up population as CSV", write_population)
    people.add_argument("n", type=int)
    people.add_argument("--seed", type=int, default=7)
    people.add_argument("--out", type=Path, help="left out: standard output")


def train_package(options: Any) -> int:
    """Train, and write the package. Raises BadPackage, OSError."""
    if options.out.exists():
        say(f"✖ {options.out} is there already: name a folder that is not")
        return REFUSED
    try:
        learnt, meaning = _learnt(options)
        say(f"✔ {learnt.size:,} rows, {learnt.bads:,} bad ({learnt.bads / learnt.size:.2%})")
        trained = pipeline.train(learnt, meaning, _base(options), lambda text: say(f"✔ {text}"))
    except BadTraining as error:
        say(*(f"✖ {fault}" for fault in error.faults), "nothing was trained")
        return REFUSED
    package = writing.write(options.out, trained.documents)
    for name, figures in trained.card["metrics"].items():
        auc, ks = figures["auc"], figures["ks"]
        say(f"✔ {TITLES[name]}: AUC {auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f}), KS {ks['value']:.3f} ({ks['low']:.3f} to {ks['high']:.3f})")
    say(f"✔ {package.name} {package.version} is in {options.out}: {package.hash}", f"  read {options.out / pipeline.TEXT}, then check, preview and publish it")
    return FINE


def _learnt(options: Any) -> tuple[Table, Meaning]:
    if options.data is not None:
        if options.mapping is None:
            raise refuse("--mapping", "it is missing: the columns have no meaning without it", "docs/risk-training.md has an example")
        meaning = mapping.read(options.mapping)
        return table.read(options.data, meaning), meaning
    meaning = mapping.read(options.mapping or OWN_MAPPING)
    return made_up(options.population, options.seed, meaning), meaning


def made_up(n: int, seed: int, meaning: Meaning) -> Table:
    """Return the made-up population as a table. Raises BadTraining."""
    try:
        lines = list(population.lines(n, seed))
    except ValueError as error:
        raise refuse("--population", str(error), "give numbers from 0 on") from error
    return table.parse(lines, meaning, hashlib.sha256("".join(lines).encode()).hexdigest())


def _base(options: Any) -> Package | None:
    if options.base is not None:
        return reading.read(options.base)
    return reading.read() if options.population is not None else None


def write_population(options: Any) -> int:
    """Write the population to a file or to standard output. Raises OSError."""
    try:
        lines = population.lines(options.n, options.seed)
        if options.out is None:
            sys.stdout.writelines(lines)
            return FINE
        with options.out.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except ValueError as error:
        say(f"✖ {error}")
        return REFUSED
    say(f"✔ {options.n:,} customers, seed {options.seed}, in {options.out}")
    return FINE


def say(*lines: str) -> None:
    """Say at once: training takes its time."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
