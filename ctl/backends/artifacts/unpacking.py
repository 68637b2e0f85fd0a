"""From the content of an artifact to a folder: every byte checked, whole or not at all, and ready to run."""

import os
import py_compile
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ctl.backends.artifacts.content import Content, mismatch, sha256

Blob = Callable[[str], bytes | None]
"""Returns the bytes stored under a SHA-256; None where there are none."""


def check(content: Content, digest: str, blob: Blob) -> None:
    """Check every file. Raises DigestMismatch naming the first that is not what was built."""
    for file in content.files:
        checked(file.path, file.sha256, digest, blob)


def unpack(content: Content, digest: str, blob: Blob, to: Path) -> None:
    """Write the verified files to `to`, which appears whole or not at all; there already: nothing to do. Raises DigestMismatch, OSError."""
    if to.exists():
        return
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{to.name[:16]}-", dir=to.parent))
    try:
        for file in content.files:
            _write(draft / file.path, checked(file.path, file.sha256, digest, blob), file.mode & 0o555)
        _compile(content, draft, to)
        draft.chmod(0o755)
        _settle(draft, to)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def checked(path: str, wanted: str, digest: str, blob: Blob) -> bytes:
    """Return a file's bytes. Raises DigestMismatch."""
    found = blob(wanted)
    if found is None:
        raise mismatch(digest, f"{path} is missing from the store")
    if sha256(found) != wanted:
        raise mismatch(digest, f"{path} was changed in the store")
    return found


def _write(file: Path, content: bytes, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def _compile(content: Content, draft: Path, to: Path) -> None:
    """Byte-compile beside the covered files: a hundred instances that start at once need not each do it. Broken code is the release's own trouble."""
    for file in content.files:
        if file.path.endswith(".py"):
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(draft / file.path), dfile=str(to / file.path), doraise=False, quiet=2, invalidation_mode=mode)


def _settle(draft: Path, to: Path) -> None:
    try:
        os.rename(draft, to)
    except OSError:
        if not to.exists():  # else another process was quicker with the same content
            raise
    sync_folder(to.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
