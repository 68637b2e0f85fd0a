"""From files of the project to the content of an artifact: which files, their hashes, what they import, which commit they are from."""

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ctl.backends.artifacts import imports
from ctl.backends.artifacts.content import Content, sha256
from ctl.errors import BadInput
from ctl.model.release import ArtifactFile
from ctl.model.service import ArtifactSource

LEFT_OUT = frozenset({"__pycache__", ".git"})
GIT_TIMEOUT_S = 5.0
SETTLED_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large an artifact may be."""

    files: int = 10_000
    file_bytes: int = 64 * 1024 * 1024
    total_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known about a file's bytes, good while its signature stays."""

    signature: tuple[int, int, int, int]
    sha256: str
    imports: frozenset[str]


class Packer:
    """Packs sources. What it has hashed it does not hash again while the file stays as it is: a fleet shares most of its code."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[str, Seen] = {}

    def pack(self, source: ArtifactSource, root: Path, what: str) -> Content:
        """Return the content of `source` under `root`. Raises BadInput naming the path that cannot be packed; `what` is built."""
        found = dict(sorted(_found(source, root, what, self._limits.files)))
        if not found:
            raise BadInput(f"cannot build {what}: there is no file in {', '.join(source.include)}", remedy="look at artifact.include in the catalog")
        files: list[ArtifactFile] = []
        imported: set[str] = set()
        for path, file in found.items():
            content, seen = self._look(file, what)
            files.append(ArtifactFile(path=path, sha256=seen.sha256, mode=0o755 if content.st_mode & 0o100 else 0o644, size=content.st_size))
            imported |= seen.imports
        self._require_total(files, what)
        packed = {PurePosixPath(path).parts[0].removesuffix(".py") for path in found}
        return Content(files=tuple(files), command=source.command, dependencies=imports.distributions(imported - packed))

    def _look(self, file: str, what: str) -> tuple[os.stat_result, Seen]:
        at = os.lstat(file)
        signature = (at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino)
        kept = self._seen.get(file)
        if kept is None or kept.signature != signature:
            kept = self._read(file, what, signature)
        return at, kept

    def _read(self, file: str, what: str, signature: tuple[int, int, int, int]) -> Seen:
        began = time.time_ns()
        content = read_plain(file, what, self._limits.file_bytes)
        if len(content) != signature[2]:
            raise BadInput(f"cannot build {what}: {file} changed while it was read", remedy="build again")
        seen = Seen(signature=signature, sha256=sha256(content), imports=imports.modules(content) if file.endswith(".py") else frozenset())
        if max(signature[0], signature[1]) < began - SETTLED_NS:
            self._seen[file] = seen  # a file that has just changed may change again without a new signature
        return seen

    def _require_total(self, files: list[ArtifactFile], what: str) -> None:
        total = sum(file.size for file in files)
        if total > self._limits.total_bytes:
            largest = max(files, key=lambda file: file.size)
            found = f"{total} bytes, of which {largest.size} in {largest.path}; an artifact may have {self._limits.total_bytes}"
            raise BadInput(f"cannot build {what}: it is too large", found=found, remedy="leave data out of artifact.include")


def read_plain(file: str, what: str, most_bytes: int) -> bytes:
    """Read an ordinary file, never through a link. Raises BadInput."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        found, remedy = error.strerror or str(error), "make it an ordinary, readable file"
        raise BadInput(f"cannot build {what}: {file} cannot be read", found=found, remedy=remedy) from error
    with os.fdopen(descriptor, "rb") as stream:
        at = os.fstat(descriptor)
        if not stat.S_ISREG(at.st_mode):
            raise BadInput(f"cannot build {what}: {file} is no ordinary file", remedy="leave it out of artifact.include")
        if at.st_size > most_bytes:
            found = f"{at.st_size} bytes; a file may have {most_bytes}"
            raise BadInput(f"cannot build {what}: {file} is too large", found=found, remedy="leave it out of artifact.include")
        return stream.read(most_bytes + 1)


def commit_of(root: Path) -> str:
    """Return the commit that `root` is at; empty outside git."""
    try:
        done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _found(source: ArtifactSource, root: Path, what: str, most: int) -> Iterator[tuple[str, str]]:
    """Return every file to pack, by its POSIX path inside the artifact."""
    root = root.absolute()
    count, inside = 0, len(os.path.join(root, ""))
    for include in source.include:
        for file in _files(_start(include, root, what), what):
            count += 1
            if count > most:
                raise BadInput(f"cannot build {what}: more than {most} files", found=f"in {include}", remedy="leave data out of artifact.include")
            yield _named(file[inside:], what), file


def _start(include: str, root: Path, what: str) -> str:
    parts = PurePosixPath(include).parts
    if not parts or PurePosixPath(include).is_absolute() or ".." in parts:
        raise BadInput(f"cannot build {what}: {include!r} leaves the project", remedy="give paths inside it in artifact.include")
    here = root
    for part in parts:
        here = here / part
        if here.is_symlink():
            raise BadInput(f"cannot build {what}: {here} is a link", remedy="include what it points to")
    if not here.exists():
        raise BadInput(f"cannot build {what}: there is no {include} in {root}", remedy="look at artifact.include in the catalog, or build with --source FOLDER")
    return str(here)


def _files(start: str, what: str) -> Iterator[str]:
    if not os.path.isdir(start):
        yield start
        return
    with os.scandir(start) as inside:
        for entry in sorted(inside, key=lambda entry: entry.name):
            if entry.name in LEFT_OUT or entry.name.endswith(".pyc"):
                continue
            if entry.is_symlink():
                raise BadInput(f"cannot build {what}: {entry.path} is a link", remedy="replace it by what it points to, or leave it out of artifact.include")
            yield from _files(entry.path, what)


def _named(path: str, what: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"cannot build {what}: the name of {path!r} is not UTF-8", remedy="rename the file") from error
    return path
