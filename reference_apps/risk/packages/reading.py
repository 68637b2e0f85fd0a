"""From a folder to a checked package: every file is read by its form, every fault is collected, and a package with a single one is refused whole."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from reference_apps.risk.packages import checks, forms, jdm, scoringforms
from reference_apps.risk.packages.faults import BadPackage, Fault
from reference_apps.risk.packages.model import Package, Table

SHIPPED = Path(__file__).parents[1] / "standard"
DOCS = "docs/"
MOST_BYTES = 200_000_000
Made = TypeVar("Made")


def read(folder: Path = SHIPPED, today: date | None = None) -> Package:
    """Read and check a package; with `today` also whether it is in effect. Raises BadPackage naming every fault."""
    try:
        files = contents(folder)
    except OSError as error:
        fault = Fault(str(error.filename or folder), "", f"it cannot be read: {error.strerror}", "give the folder of a package")
        raise BadPackage(str(folder), [fault]) from error
    return parse(files, str(folder), today)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder by its relative path. Raises OSError."""
    (folder / "manifest.json").stat()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if sum(path.stat().st_size for path in paths) > MOST_BYTES:
        raise OSError(0, f"it has more than {MOST_BYTES:,} bytes", str(folder))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def digest(files: Mapping[str, bytes]) -> str:
    """Hash names, lengths and bytes, so that no content can pass for another."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name} {len(files[name])}\n".encode() + files[name])
    return f"sha256:{whole.hexdigest()}"


def parse(files: Mapping[str, bytes], where: str, today: date | None = None) -> Package:
    """Make a package of its files' bytes. Raises BadPackage naming every fault."""
    reading = _Reading(files)
    package = reading.package()
    found = reading.found or ([] if package is None else checks.faults(package, today))
    if found or package is None:
        raise BadPackage(where, found)
    return package


@dataclass(slots=True)
class _Reading:
    """The files, and the faults found so far. A file that cannot be read is a fault and None; the others are read all the same."""

    files: Mapping[str, bytes]
    found: list[Fault] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def package(self) -> Package | None:
        manifest = self.file("manifest.json", forms.ManifestForm)
        if manifest is None:
            return None
        variables, routes = self.file("variables.json", forms.VariablesForm), self.file("routes.json", forms.RoutesForm)
        lists, reasons = self.file("lists.json", forms.Lists) or {}, self.file("reasons.json", forms.Reasons) or {}
        prices = self.file("prices.json", forms.Prices) or {}
        tables = tuple(self.table(each) for each in manifest.tables)
        scorecards = self.named(manifest.scorecards, self.scorecard)
        models = self.named(manifest.models, self.model)
        combinations = self.named(manifest.combinations, self.combination)
        self.leftovers()
        if self.found or variables is None or routes is None:
            return None
        rows = [each.to_model() for each in variables.variables]
        self.twice("variables.json", (each.name for each in rows))
        return Package(
            hash=digest(self.files),
            name=manifest.name,
            version=manifest.version,
            effective_from=manifest.effective.begin,
            effective_until=manifest.effective.until,
            variables={each.name: each for each in rows},
            lists={name: frozenset(members) for name, members in lists.items()},
            tables=tables,
            scorecards=scorecards,
            models=models,
            combinations=combinations,
            prices={name: tuple(row.to_model() for row in rows) for name, rows in prices.items()},
            router=routes.to_model(),
            reasons={code: {"en": text.en, "zh": text.zh} for code, text in reasons.items()},
            files=dict(self.files),
        )

    def file(self, name: str, shape: Any) -> Any:
        """Return a file as its form (a model or a type), or None."""
        document = self.document(name)
        if document is None:
            return None
        try:
            return TypeAdapter(shape).validate_python(document)
        except ValidationError as error:
            self.found += [Fault(name, ".".join(map(str, row["loc"])), row["msg"], "docs/decision-package.md describes every field") for row in error.errors()]
            return None

    def document(self, name: str) -> Any:
        """Return a file's JSON, or None."""
        self.used.add(name)
        if name not in self.files:
            self.found.append(Fault(name, "", "the file is missing", "add it, or take it out of the manifest"))
            return None
        try:
            document = json.loads(self.files[name], object_pairs_hook=_unique)
        except ValueError as error:
            self.found.append(Fault(name, "", f"it cannot be read: {error}", "write JSON in UTF-8"))
            return None
        if document is None:
            self.found.append(Fault(name, "", "it cannot be read: it is null", "write JSON in UTF-8"))
        return document

    def named(self, files: Mapping[str, str], make: Callable[[str, str], Made | None]) -> dict[str, Made]:
        made = {name: make(name, file) for name, file in files.items()}
        return {name: each for name, each in made.items() if each is not None}

    def table(self, form: forms.TableForm) -> Table:
        graph = self.document(form.file)
        if graph is not None:
            self.found += jdm.faults(form.file, graph)
        priorities = {name: tuple(values) for name, values in form.priorities.items()}
        has_default = "default" in form.model_fields_set
        given: dict[str, Any] = {"name": form.name, "role": form.role, "hit_policy": form.hit_policy, "file": form.file}
        return Table(**given, graph=graph or {}, priorities=priorities, has_default=has_default, default=form.default)

    def scorecard(self, name: str, file: str) -> Any:
        form = self.file(file, scoringforms.ScorecardForm)
        if form is None:
            return None
        faults = form.faults()
        self.found += [Fault(file, place, problem, "see the kinds of scorecards in docs/decision-package.md") for place, problem in faults]
        return None if faults else form.to_model(name)

    def model(self, name: str, file: str) -> Any:
        form = self.file(file, scoringforms.ModelForm)
        if form is None:
            return None
        self.found += checks.shape_faults(file, form)
        return form.to_model(name) if not self.found else None

    def combination(self, name: str, file: str) -> Any:
        form = self.file(file, forms.CombinationForm)
        return None if form is None else form.to_model(name)

    def leftovers(self) -> None:
        for name in sorted(set(self.files) - self.used):
            if not name.startswith(DOCS):
                self.found.append(Fault(name, "", "no part of the manifest names this file", f"name it, take it out, or move it to {DOCS}"))

    def twice(self, file: str, names: Iterable[str]) -> None:
        listed = list(names)
        twice = sorted({each for each in listed if listed.count(each) > 1})
        self.found += [Fault(file, name, "it stands there twice", "give each its own name") for name in twice]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice in an object: which one was meant?"""
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return made
