"""A stored answer: what an Idempotency-Key was answered, so that the same request gets the same answer for ever. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctl.kit.problem import Problem
from reference_apps.ledger.keeping import canonical


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key in its scope (tenant and route), with the hash of the body it came with."""

    scope: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The HTTP answer given under a key."""

    body_hash: str
    status: int
    body: Mapping[str, Any]


def key(tenant: str, route: str, value: str, body: Mapping[str, Any]) -> Key:
    """Return the key in its scope; two bodies are the same when their canonical JSON is."""
    return Key(f"{tenant}|{route}|{value}", hashlib.sha256(canonical.encode(body)).hexdigest())


def check(stored: Reply, asked: Key) -> Reply:
    """Return the stored reply. Raises Problem (422) when the key was used for another body."""
    if stored.body_hash != asked.body_hash:
        detail = f"the Idempotency-Key of {asked.scope.rsplit('|', 1)[0]} was used before with another body"
        raise Problem(422, "idempotency_key_reused", detail, remedy="send the first body again, or use a new key for a new request")
    return stored
