"""From documents to a folder: a package is written so that the same content always has the same bytes, and therefore the same hash."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference_apps.risk.packages import reading
from reference_apps.risk.packages.model import Package


def encoded(document: Any) -> bytes:
    """Return a document's bytes: text and bytes as they are, all else as JSON in UTF-8. Doubles keep every bit. Raises ValueError for NaN."""
    if isinstance(document, bytes):
        return document
    if isinstance(document, str):
        return document.encode()
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def write(folder: Path, documents: Mapping[str, Any]) -> Package:
    """Check a package of documents by relative path and write it to a folder, all or nothing. Raises BadPackage, OSError (the folder is there already)."""
    files = {name: encoded(document) for name, document in documents.items()}
    package = reading.parse(files, str(folder))
    keep(folder, files)
    return package


def keep(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a folder that is not there yet; it appears whole or not at all. Raises OSError."""
    if folder.exists():
        raise FileExistsError(17, "the folder is there already", str(folder))
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(beside, ignore_errors=True)
    for name, content in files.items():
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    beside.rename(folder)
