"""The chain of the journal: how a note becomes a link, and how a broken link is found. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctl.errors import BadInput, Refused
from ctl.model import codec
from ctl.model.event import Event, Note

GENESIS = "0" * 64
SECRET_WORDS = frozenset({"token", "secret", "password", "passwd", "authorization", "api_key", "private_key", "access_key", "credentials"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One line of the journal as it is stored: `at` and `body` are texts, so that what was hashed is what is kept."""

    seq: int
    at: str
    actor: str
    kind: str
    why: str
    service: str
    rollout: str
    body: str
    previous: str
    hash: str


def link(note: Note, seq: int, previous: str) -> Link:
    """Chain a note to the link before it. Raises BadInput for a body that is not JSON-ready or that names a secret."""
    refuse_secrets(note.body, note.kind)
    body, at = codec.canonical(dict(note.body)), codec.iso(note.at)
    texts = {"at": at, "actor": note.actor, "kind": note.kind, "why": note.why, "service": note.service, "rollout": note.rollout}
    return Link(seq=seq, body=body, previous=previous, hash=_hash(seq, previous, texts, json.loads(body)), **texts)


def event(link: Link) -> Event:
    """Return a stored link as the event it holds."""
    return codec.from_json(Event, {name: getattr(link, name) for name in Link.__slots__} | {"body": json.loads(link.body)})


def check(link: Link, seq: int, previous: str) -> None:
    """Check one link against its place: `seq` and `previous` are what the link before it promises. Raises Refused naming what differs."""
    if link.seq != seq:
        raise broken(seq, f"the event is missing; the next one stored is {link.seq}")
    if link.previous != previous:
        raise broken(seq, f"its `previous` is {link.previous!r:.14}..., the hash of the event before it is {previous[:12]}...")
    if _rehash(link) != link.hash:
        raise broken(seq, f"its content ({link.kind!s} by {link.actor!s} at {link.at!s}) no longer gives its hash {link.hash!s:.12}...")


def broken(seq: int, found: str) -> Refused:
    """Say where the journal stops being true."""
    return Refused(f"the journal is broken at event {seq}: {found}", found=found, remedy="keep the file as evidence; events before this one are sound")


def refuse_secrets(value: Any, kind: str, path: str = "body") -> None:
    """Refuse a body that has a field named like a secret, at any depth. Raises BadInput naming the field, never its value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if str(key).lower().replace("-", "_") in SECRET_WORDS:
                raise BadInput(f"cannot journal {kind}: {path}.{key} looks like a secret", found=f"{path}.{key}", remedy="journal its name or its hash instead")
            refuse_secrets(inner, kind, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            refuse_secrets(inner, kind, f"{path}[{number}]")


def _rehash(link: Link) -> str:
    texts = {name: getattr(link, name) for name in ("at", "actor", "kind", "why", "service", "rollout")}
    try:
        body = json.loads(link.body)
        return _hash(link.seq, link.previous, texts, body) if codec.canonical(body) == link.body else "not canonical"
    except (TypeError, ValueError, BadInput):
        return "not JSON"


def _hash(seq: int, previous: str, texts: Mapping[str, str], body: Any) -> str:
    return hashlib.sha256((previous + codec.canonical({**texts, "body": body, "seq": seq})).encode()).hexdigest()
