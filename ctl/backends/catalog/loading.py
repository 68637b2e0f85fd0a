"""A catalog folder -> services by environment, or everything that is wrong with it. A file that has not changed is not read again."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError

from ctl.backends.catalog import listing as listed
from ctl.backends.catalog import reading, wording
from ctl.backends.catalog.document import Document
from ctl.backends.catalog.document import Path as DocumentPath
from ctl.backends.catalog.fields import DomainFile, EnvironmentFile, ServiceFile
from ctl.backends.catalog.listing import Listing, Signature
from ctl.backends.catalog.policy import Strict
from ctl.errors import Mistake
from ctl.model.catalog import Entry, Finding, Judge
from ctl.model.service import Layer, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """One file, read: the document, its parts that are valid (a service's file has one part, ""), and the hash of its bytes."""

    document: Document
    parts: Mapping[str, Strict]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A folder, read whole. `services` are by environment, then name, and count only where there is no mistake; `files` counts services' files."""

    services: Mapping[str, Mapping[str, Service]] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    revision: str = ""
    files: int = 0


class Loader:
    """Loads one folder again and again. `judge` says what is wrong between fields and between services; `usual` is the environment
    where no catalog/environments.yaml says which there are."""

    def __init__(self, folder: Path, judge: Judge, usual: str) -> None:
        self._folder = folder
        self._named = folder.absolute().name
        self._judge = judge
        self._usual = usual
        self._kept: dict[str, tuple[Signature, Parsed]] = {}

    def load(self, listing: Listing, *, example: bool = False) -> Loaded:
        """Read what has changed and judge everything; with `example` the documented example as well, which is no service."""
        known = listed.KNOWN if example else listed.KNOWN - {listed.EXAMPLE}
        parsed = {path: self._parsed(path, signature) for path, signature in listing.items() if listed.is_service(path) or path in known}
        self._kept = {path: kept for path, kept in self._kept.items() if path in parsed}
        folder = _Folder(parsed, self._named, self._usual)
        entries = folder.entries()
        mistakes = [*listed.strays(listing, self._named), *folder.mistakes(), *map(folder.placed, self._judge(entries))]
        return Loaded(
            services={name: {entry.name: entry.services[name] for entry in entries if entry.services} for name in folder.environments},
            mistakes=tuple(sorted(dict.fromkeys(mistakes), key=lambda one: (one.file, one.line, one.field))),
            revision=hashlib.sha256("".join(f"{path} {one.sha256}\n" for path, one in parsed.items()).encode()).hexdigest(),
            files=sum(map(listed.is_service, parsed)),
        )

    def _parsed(self, path: str, signature: Signature) -> Parsed:
        kept = self._kept.get(path)
        if kept is None or kept[0] != signature:
            kept = self._kept[path] = signature, _parse(self._folder / path, path, f"{self._named}/{path}")
        return kept[1]


def _parse(file: Path, path: str, named: str) -> Parsed:
    try:
        content = file.read_bytes()
    except OSError as error:
        document = Document(file=named)
        document.spoil((), f"cannot be read: {error.strerror}", "make it a file that this user may read")
        return Parsed(document=document, parts={}, sha256="")
    document = reading.read(named, content)
    parts = _file_parts(document, path) if () not in document.spoiled else {}
    return Parsed(document=document, parts=parts, sha256=hashlib.sha256(content).hexdigest())


def _file_parts(document: Document, path: str) -> dict[str, Strict]:
    if path not in (listed.ENVIRONMENTS, listed.DOMAINS):
        service = _valid(document, ServiceFile, None)
        if isinstance(service, ServiceFile) and path != listed.EXAMPLE:
            _check_place(document, service, path)
        return {"": service} if service else {}
    model = EnvironmentFile if path == listed.ENVIRONMENTS else DomainFile
    found = {name: _valid(document, model, name) for name in document.data}
    return {name: part for name, part in found.items() if part}


def _valid(document: Document, model: type[Strict], name: str | None) -> Strict | None:
    """Validate the document, or its part `name`; None where it has mistakes."""
    data, root = (document.data, ()) if name is None else (document.data[name], (name,))
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        wording.note(document, model, error, root)
        return None
    return None if document.spoiled else found


def _check_place(document: Document, service: ServiceFile, path: str) -> None:
    domain, name = path.removesuffix(".yaml").split("/")
    if service.name != name:
        document.add(("name",), f'"{service.name}" in a file called {name}.yaml', f"write {name}, or rename the file to {service.name}.yaml")
    if service.domain != domain:
        document.add(("domain",), f'"{service.domain}" in the folder {domain}', f"write {domain}, or move the file to {service.domain}/")


class _Folder:
    """All files of a folder side by side."""

    def __init__(self, parsed: Mapping[str, Parsed], named: str, usual: str) -> None:
        self._parsed = parsed
        self._named = named
        there = parsed.get(listed.ENVIRONMENTS)
        self._declared = there.document if there else None
        found = {name: part for name, part in there.parts.items() if isinstance(part, EnvironmentFile)} if there else {}
        self.environments: Mapping[str, EnvironmentFile] = found if there else {usual: EnvironmentFile(summary="everything")}
        domains = parsed.get(listed.DOMAINS)
        self._domains = domains.document if domains else None
        self._layers = {name: part.layer for name, part in domains.parts.items() if isinstance(part, DomainFile)} if domains else {}
        self._documents: dict[str, Document] = {}

    def entries(self) -> list[Entry]:
        """Return every service as far as it can be read; where two files have one name, the first."""
        found: dict[str, Entry] = {}
        for path, one in self._services():
            name = Path(path).stem
            if name not in found:
                found[name] = self._entry(name, path, one)
                self._documents[name] = one.document
        return list(found.values())

    def mistakes(self) -> Iterator[Mistake]:
        """Return what is wrong inside files, and with their names, domains and environments."""
        first: dict[str, str] = {}
        for one in self._parsed.values():
            yield from one.document.mistakes
        for path, one in self._services():
            yield from self._unknown_environments(one.document)
            before = first.setdefault(Path(path).stem, path)
            if before != path:
                yield one.document.mistake(("name",), f"a service of this name lies in {self._named}/{before}", "give one of them another name")
        yield from self._unknown_domains()

    def placed(self, finding: Finding) -> Mistake:
        """Say in which file and line a finding stands: where it is written for its environment, else where the service says it."""
        own = self._documents[finding.service]
        path = _as_written(own, finding.field)
        message = f"{finding.message} (in {finding.environment})" if finding.environment else finding.message
        in_own, in_environment = ("environments", finding.environment, *path), (finding.environment, *path)
        if in_own in own.lines:
            return own.mistake(in_own, message, finding.remedy)
        if self._declared and in_environment in self._declared.lines:
            return self._declared.mistake(in_environment, message, finding.remedy)
        return own.mistake(path, message, finding.remedy)

    def _services(self) -> Iterable[tuple[str, Parsed]]:
        return [(path, one) for path, one in self._parsed.items() if listed.is_service(path) or path == listed.EXAMPLE]

    def _entry(self, name: str, path: str, one: Parsed) -> Entry:
        document, service = one.document, one.parts.get("")
        layer = self._layers.get(path.partition("/")[0], Layer.MIDDLE)
        numbered = document.data.get("ports")
        return Entry(
            name=name,
            layer=layer if path != listed.EXAMPLE else Layer.FRONT,
            depends_on=tuple(document.data["depends_on"][position] for position in _readable(document)),
            ports={port: number for port, number in numbered.items() if isinstance(number, int)} if isinstance(numbered, dict) else {},
            services=service.to_model(layer, self.environments) if isinstance(service, ServiceFile) else {},
        )

    def _unknown_environments(self, document: Document) -> Iterator[Mistake]:
        if self._declared is None or () in self._declared.spoiled:
            return
        known = list(self._declared.data)
        for field_name in ("replicas", "environments"):
            written = document.data.get(field_name)
            for name in written if isinstance(written, dict) else ():
                if name not in known and not document.is_spoiled((field_name, name)):
                    yield document.mistake((field_name, name), f'no environment "{name}"', _near(name, known))

    def _unknown_domains(self) -> Iterator[Mistake]:
        if self._domains is None or () in self._domains.spoiled:
            return
        known = list(self._domains.data)
        for name in sorted({path.partition("/")[0] for path, _ in self._services() if "/" in path} - set(known)):
            yield self._domains.mistake((name,), f"the folder {self._named}/{name} is no domain", f"{_near(name, known)}; or add it here with its layer")


def _readable(document: Document) -> list[int]:
    """Return the positions of depends_on that hold a name; a mistake in one item hides none in the others."""
    written = document.data.get("depends_on")
    items = written if isinstance(written, list) else []
    return [position for position, each in enumerate(items) if isinstance(each, str) and not document.is_spoiled(("depends_on", position))]


def _as_written(document: Document, field_path: DocumentPath) -> DocumentPath:
    """Turn a position among the readable dependencies into the position in the file."""
    if len(field_path) == 2 and field_path[0] == "depends_on" and isinstance(field_path[1], int):
        return "depends_on", _readable(document)[field_path[1]]
    return field_path


def _near(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
