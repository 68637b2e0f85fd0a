"""Artifacts and releases: what exactly runs. Both are immutable and named by their content."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctl.model.service import Handover, Health, Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """One file of an artifact: POSIX path inside it, SHA-256 of its bytes, permission bits, size in bytes."""

    path: str
    sha256: str
    mode: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An immutable bundle. `digest` is "sha256:<hex>" over the canonical JSON of files, command and dependencies; `commit` is where it came from."""

    service: str
    version: str
    digest: str
    files: tuple[ArtifactFile, ...]
    command: tuple[str, ...]
    dependencies: tuple[str, ...] = ()
    commit: str = ""
    built_at: datetime

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Code and config together, pinned: what a group runs. `id` is "<version>-<8 hex of the content hash>"; it is what rolls forward and back.

    `environment` holds the config snapshot as environment variables of the instances.
    """

    id: str
    service: str
    version: str
    digest: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    health: Health = Health()
    resources: Resources = Resources()
    handover: Handover = Handover.NONE
    built_at: datetime
