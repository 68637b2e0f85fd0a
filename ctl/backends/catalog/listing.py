"""Which files a catalog folder holds, with a signature each that changes when the file does. Reads no file."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ctl.errors import BackendError, BadInput, Mistake

ENVIRONMENTS, DOMAINS, EXAMPLE = "environments.yaml", "domains.yaml", "example.yaml"
KNOWN = frozenset({ENVIRONMENTS, DOMAINS, EXAMPLE})
SCHEMAS = "schema"

Signature = tuple[int, int, int, int]
Listing = Mapping[str, Signature]
"""Paths relative to the folder, with / between the parts; a folder inside a domain's stands as itself."""


def scan(folder: Path) -> Listing:
    """Look at every file that is, or looks like, a part of the catalog. Raises BadInput where there is no folder, BackendError."""
    try:
        return dict(sorted(_scan(folder)))
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_dir():
            raise BackendError(f"could not look at the catalog in {folder}", found=str(error), remedy="it is being changed; try again") from error
        remedy = "run msxfctl in the project's folder, or set MSXFCTL_CATALOG"
        raise BadInput(f"there is no catalog at {folder}", found="no such folder", remedy=remedy) from error
    except OSError as error:
        raise BackendError(f"could not look at the catalog in {folder}", found=str(error), remedy="make it readable for this user") from error


def is_service(path: str) -> bool:
    """Say whether this is where a service's file lies: DOMAIN/NAME.yaml."""
    return path.count("/") == 1 and path.endswith(".yaml")


def strays(listing: Listing, named: str) -> Iterator[Mistake]:
    """Return a mistake for each file that lies or is called so that nobody would read it; `named` is the folder as people should see it."""
    for path in listing:
        if is_service(path) or path in KNOWN:
            continue
        if path.endswith(".yml"):
            message, remedy = "the name ends in .yml", f"rename it to {path.removesuffix('.yml')}.yaml"
        elif "/" in path:
            message, remedy = "a folder inside a domain's folder", "move its files up: catalog/DOMAIN/NAME.yaml"
        else:
            message, remedy = "a service lies in its domain's folder", f"move it to {named}/DOMAIN/{path}"
        yield Mistake(file=f"{named}/{path}", line=1, field="", message=message, remedy=remedy)


def _scan(folder: Path) -> Iterator[tuple[str, Signature]]:
    with os.scandir(folder) as top:
        for entry in top:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from () if entry.name == SCHEMAS else _domain(entry)
            elif entry.name.endswith((".yaml", ".yml")):
                yield entry.name, _signature(entry)


def _domain(folder: "os.DirEntry[str]") -> Iterator[tuple[str, Signature]]:
    with os.scandir(folder.path) as inside:
        for entry in inside:
            if not entry.name.startswith(".") and (entry.name.endswith((".yaml", ".yml")) or entry.is_dir()):
                yield f"{folder.name}/{entry.name}", _signature(entry)


def _signature(entry: "os.DirEntry[str]") -> Signature:
    found = entry.stat()
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
