"""Artifacts in memory: for tests and simulations. The same content, digests and refusals, nothing durable."""

import threading
from collections.abc import Sequence
from pathlib import Path

from ctl.backends.artifacts import content as contents
from ctl.backends.artifacts import packing, unpacking
from ctl.backends.artifacts.content import Content, Record
from ctl.backends.artifacts.packing import Limits, Packer
from ctl.errors import NotFound
from ctl.model.release import Artifact, ArtifactFile
from ctl.model.service import ArtifactSource
from ctl.ports import Clock


class MemoryArtifacts:
    """Artifacts by service and version. seed() makes one without any file of a project; spoil() damages one on purpose."""

    def __init__(self, clock: Clock, *, limits: Limits | None = None) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._packer = Packer(self._limits)
        self._turn = threading.Lock()
        self._blobs: dict[str, bytes] = {}
        self._contents: dict[str, Content] = {}
        self._records: dict[str, dict[str, Record]] = {}

    def put(self, source: ArtifactSource, root: Path, service: str, version: str) -> Artifact:
        contents.require_names(service, version)
        what = f"{service} {version}"
        packed = self._packer.pack(source, root, what)
        blobs = {file.sha256: packing.read_plain(str(root / file.path), what, self._limits.file_bytes) for file in packed.files}
        return self._keep(packed, blobs, service, version, packing.commit_of(root))

    def seed(self, service: str, version: str, text: str = "") -> Artifact:
        """Build an artifact of one file that holds `text` (empty: the name and version)."""
        body = (text or f"{service} {version}\n").encode()
        file = ArtifactFile(path="release.txt", sha256=contents.sha256(body), mode=0o644, size=len(body))
        packed = Content(files=(file,), command=("python", "-m", "reference_apps.sample"), dependencies=())
        return self._keep(packed, {file.sha256: body}, service, version, "")

    def spoil(self, digest: str) -> None:
        """Change a byte of the artifact's first file."""
        first = self._content(digest).files[0]
        self._blobs[first.sha256] = b"spoilt " + self._blobs[first.sha256]

    def resolve(self, service: str, version: str) -> Artifact:
        record = self._records.get(service, {}).get(version)
        if record is None:
            raise contents.unknown_version(service, version, [one.version for one in self.versions(service)])
        return record.artifact(self._contents[record.digest])

    def versions(self, service: str) -> Sequence[Artifact]:
        with self._turn:
            records = contents.newest_first(self._records.get(service, {}).values())
        return [record.artifact(self._contents[record.digest]) for record in records]

    def fetch(self, digest: str, to: Path) -> None:
        unpacking.unpack(self._content(digest), digest, self._blobs.get, to)

    def verify(self, digest: str) -> None:
        unpacking.check(self._content(digest), digest, self._blobs.get)

    def _keep(self, packed: Content, blobs: dict[str, bytes], service: str, version: str, commit: str) -> Artifact:
        made = Record(service=service, version=version, digest=packed.digest, commit=commit, built_at=self._clock.now())
        with self._turn:
            record = self._records.setdefault(service, {}).setdefault(version, made)
            contents.require_same(record, made.digest)
            self._blobs.update(blobs)
            return record.artifact(self._contents.setdefault(made.digest, packed))

    def _content(self, digest: str) -> Content:
        found = self._contents.get(digest)
        if found is None:
            contents.hex_of(digest)
            raise NotFound(f"there is no artifact {digest[:19]}", remedy="build it: msxfctl build SERVICE --version VERSION")
        return found
