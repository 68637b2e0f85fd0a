"""Artifacts in a folder, by content: a file's bytes once, however many services share them; nothing in it is ever changed.

files/<2 hex>/<sha256> holds bytes, contents/<digest hex>.json a list of files, versions/<service>/<version>.json what was built when.
"""

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ctl.backends.artifacts import content as contents
from ctl.backends.artifacts import packing, unpacking
from ctl.backends.artifacts.content import Content, Record
from ctl.backends.artifacts.packing import Limits, Packer
from ctl.errors import BackendError, BadInput, NotFound
from ctl.model import codec
from ctl.model.release import Artifact, ArtifactFile
from ctl.model.service import ArtifactSource
from ctl.ports import Clock

ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


class FolderArtifacts:
    """The artifacts under `folder`, which several processes may use at once: every file appears whole, by rename or link."""

    def __init__(self, folder: Path, clock: Clock, *, limits: Limits | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._limits = limits or Limits()
        self._packer = Packer(self._limits)
        self._intact: dict[str, tuple[int, int, int, int]] = {}

    def put(self, source: ArtifactSource, root: Path, service: str, version: str) -> Artifact:
        contents.require_names(service, version)
        what = f"{service} {version}"
        with _translated(f"build {what}"):
            packed = self._packer.pack(source, root, what)
            record, digest = self._record(service, version), packed.digest
            if record:
                contents.require_same(record, digest)
            for file in packed.files:
                self._store(file, os.path.join(root, file.path), what)
            self._keep(digest, packed)
            record = record or self._recorded(service, version, digest, packing.commit_of(root))
            return record.artifact(packed)

    def resolve(self, service: str, version: str) -> Artifact:
        with _translated(f"read artifact {service} {version}"):
            record = self._record(service, version)
            if record is None:
                raise contents.unknown_version(service, version, [one.version for one in self._records(service)])
            return record.artifact(self._content(record.digest))

    def versions(self, service: str) -> Sequence[Artifact]:
        with _translated(f"list the artifacts of {service}"):
            return [record.artifact(self._content(record.digest)) for record in self._records(service)]

    def fetch(self, digest: str, to: Path) -> None:
        with _translated(f"unpack {digest[:19]} to {to}"):
            unpacking.unpack(self._content(digest), digest, self._blob, to)

    def verify(self, digest: str) -> None:
        with _translated(f"verify {digest[:19]}"):
            unpacking.check(self._content(digest), digest, self._blob)

    # --- reading ---

    def _content(self, digest: str) -> Content:
        manifest = _bytes(self._contents_file(digest))
        if manifest is None:
            raise NotFound(f"there is no artifact {digest[:19]}", remedy="build it: msxfctl build SERVICE --version VERSION")
        return contents.read(manifest, digest)

    def _record(self, service: str, version: str) -> Record | None:
        if not (contents.is_name(service) and contents.is_name(version)):
            return None
        written = _bytes(self._folder / "versions" / service / f"{version}.json")
        return codec.from_json(Record, json.loads(written)) if written else None

    def _records(self, service: str) -> list[Record]:
        folder = self._folder / "versions" / service
        names = [file.stem for file in folder.glob("*.json") if not file.name.startswith(".")] if contents.is_name(service) else []
        return contents.newest_first(record for name in names if (record := self._record(service, name)))

    def _blob(self, sha256: str) -> bytes | None:
        return _bytes(self._blob_file(sha256))

    def _blob_file(self, sha256: str) -> str:
        return os.path.join(self._folder, "files", sha256[:2], sha256)

    def _contents_file(self, digest: str) -> Path:
        return self._folder / "contents" / f"{contents.hex_of(digest)}.json"

    # --- writing ---

    def _store(self, file: ArtifactFile, source: str, what: str) -> None:
        """Keep a file's bytes, unless they are there and intact; damaged ones are mended."""
        if self._is_intact(file.sha256):
            return
        content = packing.read_plain(source, what, self._limits.file_bytes)
        if contents.sha256(content) != file.sha256:
            raise BadInput(f"cannot build {what}: {source} changed while it was packed", remedy="build again")
        _write(Path(self._blob_file(file.sha256)), content)

    def _is_intact(self, sha256: str) -> bool:
        place = self._blob_file(sha256)
        try:
            at = os.stat(place)
        except FileNotFoundError:
            return False
        signature = (at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino)
        if self._intact.get(sha256) != signature:
            if contents.sha256(_bytes(place) or b"") != sha256:
                return False
            self._intact[sha256] = signature
        return True

    def _keep(self, digest: str, packed: Content) -> None:
        place, manifest = self._contents_file(digest), packed.manifest()
        if _bytes(place) != manifest:
            _write(place, manifest)

    def _recorded(self, service: str, version: str, digest: str, commit: str) -> Record:
        """Claim the version; where somebody else was quicker with the same content, theirs counts."""
        made = Record(service=service, version=version, digest=digest, commit=commit, built_at=self._clock.now())
        place = self._folder / "versions" / service / f"{version}.json"
        if _write(place, codec.canonical(codec.to_json(made)).encode(), replace=False):
            return made
        record = self._record(service, version) or made
        contents.require_same(record, digest)
        return record


def _bytes(file: Path | str) -> bytes | None:
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def _write(place: Path, content: bytes, *, replace: bool = True) -> bool:
    """Write a durable, read-only file that appears whole. Without `replace` a file that is there stays, and the answer is False."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".draft-", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(descriptor, 0o444)
            os.fsync(descriptor)
        if replace:
            os.replace(draft, place)
        else:
            os.link(draft, place)
        unpacking.sync_folder(place.parent)
    except FileExistsError:
        return False
    finally:
        Path(draft).unlink(missing_ok=True)
    return True


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space on the disk; nothing was changed" if full else "make the state folder writable for this user; msxfctl doctor"
        raise BackendError(f"could not {what}", found=f"{error.strerror or error}{where}", remedy=remedy) from error
