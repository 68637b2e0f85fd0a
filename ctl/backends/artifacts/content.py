"""What an artifact is made of, and its digest: the SHA-256 of the canonical JSON of files, command and dependencies. Pure."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ctl.errors import BadInput, DigestMismatch, NotFound, Refused
from ctl.model import codec
from ctl.model.release import Artifact, ArtifactFile

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The part of an artifact that its digest covers; who built it, when and from which commit is not in it."""

    files: tuple[ArtifactFile, ...]
    command: tuple[str, ...]
    dependencies: tuple[str, ...]

    def manifest(self) -> bytes:
        """Return the canonical JSON: the same content is always the same bytes."""
        return codec.canonical(codec.to_json(self)).encode()

    @property
    def digest(self) -> str:
        return f"sha256:{sha256(self.manifest())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was built as a version: which content, from where, and when."""

    service: str
    version: str
    digest: str
    commit: str
    built_at: datetime

    def artifact(self, content: Content) -> Artifact:
        return Artifact(
            service=self.service,
            version=self.version,
            digest=self.digest,
            files=content.files,
            command=content.command,
            dependencies=content.dependencies,
            commit=self.commit,
            built_at=self.built_at,
        )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def hex_of(digest: str) -> str:
    """Return the hex part of a digest. Raises NotFound for what is none."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise NotFound(f"there is no artifact {digest!r}", found="a digest is sha256: and 64 hex digits", remedy="see `msxfctl artifact list SERVICE`")
    return match[1]


def read(manifest: bytes, digest: str) -> Content:
    """Turn a stored manifest back into the content. Raises DigestMismatch where it is not the digest's."""
    if sha256(manifest) != hex_of(digest):
        raise mismatch(digest, "its list of files was changed")
    return codec.from_json(Content, json.loads(manifest))


def mismatch(digest: str, found: str) -> DigestMismatch:
    """Return the error of an artifact whose content is no longer what was built."""
    remedy = "nothing of it is run; build the same source again to mend it, or deploy another version"
    return DigestMismatch(f"artifact {digest[:19]} does not match its digest", found=found, remedy=remedy)


def is_name(name: str) -> bool:
    """Say whether a name may be a part of a path."""
    return _NAME.fullmatch(name) is not None


def require_names(service: str, version: str) -> None:
    """Refuse names that could not be a part of a path. Raises BadInput."""
    for what, name in (("service", service), ("version", version)):
        if not is_name(name):
            raise BadInput(f"{name!r} cannot be the {what} of an artifact", remedy="use letters, digits, dots, dashes and underscores, e.g. 1.4.2")


def unknown_version(service: str, version: str, known: Sequence[str]) -> NotFound:
    """Return the error of a version that was never built, naming those that were."""
    found = f"built: {', '.join(known[:5])}" if known else "nothing has been built"
    return NotFound(f"{service} {version} has not been built", found=found, remedy=f"msxfctl build {service} --version {version}")


def require_same(record: Record, digest: str) -> None:
    """Refuse other content under a version that exists. Raises Refused."""
    if record.digest != digest:
        raise Refused(
            f"{record.service} {record.version} is not built: that version exists with other content",
            found=f"built {record.built_at:%Y-%m-%d %H:%M:%S} UTC as {record.digest[:19]}; the source is now {digest[:19]}",
            remedy="a version never changes: build under a new one",
        )


def newest_first(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.built_at, record.version), reverse=True)
