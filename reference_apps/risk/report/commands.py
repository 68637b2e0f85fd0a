"""The command that writes a package's report: one HTML file that needs nothing else."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reference_apps.risk.packages import reading
from reference_apps.risk.packages.model import Package
from reference_apps.risk.report import contents
from reference_apps.risk.report.contents import Unreadable

FINE, REFUSED = 0, 3
Verb = Callable[[str, str, Callable[[Any], int]], argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Add the command to a parser."""
    report = verb("report", "write a package as one HTML page: scores, bins and points, curves, drift, prices, model card", write)
    report.add_argument("folder", type=Path)
    report.add_argument("--out", type=Path, required=True, help="the HTML file to write")


def write(options: Any) -> int:
    """Write the page. Raises BadPackage, OSError."""
    package = reading.read(options.folder)
    try:
        page = rendered(package)
    except Unreadable as error:
        sys.stdout.write(f"✖ {error}\n")
        return REFUSED
    options.out.write_text(page, encoding="utf-8")
    sys.stdout.write(f"✔ {package.name} {package.version} is described in {options.out} ({len(page) // 1024:,} kB)\n")
    return FINE


def rendered(package: Package) -> str:
    """Return the page. The same package gives the same bytes. Raises Unreadable."""
    templates = Environment(
        loader=PackageLoader("reference_apps.risk.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("report.html").render(**contents.contents(package))
