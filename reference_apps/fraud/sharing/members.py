"""Which instances live on this machine: each holds a lock on its card in a folder that they share. The kernel frees it when a process dies, however it dies.

Who owns a slot follows from the living alone: the highest hash of slot and name (rendezvous hashing). Two that disagree for a moment do no harm.
"""

import fcntl
import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import md5
from pathlib import Path

from reference_apps.fraud.features.shard import SLOTS

ROOM = 1_024


class Stage(StrEnum):
    """Where a member stands. One that joins owns nothing in the eyes of others yet; one that leaves still answers, and nobody counts on it."""

    JOINING = "joining"
    SERVING = "serving"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What others need to know of a member. `edition`: only members that count alike may share; `token` is asked of who connects to `port`."""

    name: str
    port: int
    token: str
    edition: str
    stage: Stage = Stage.JOINING


class Members:
    """The folder of cards, seen from one member."""

    def __init__(self, folder: Path, card: Card) -> None:
        self.card = card
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / f"{card.name}.{os.getpid()}"
        self._held = -1

    def join(self) -> None:
        """Show the card. It is locked before it can be seen."""
        fresh = self._path.with_name(f".{self._path.name}")
        self._held = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self._show()
        fresh.replace(self._path)

    def become(self, stage: Stage) -> None:
        """Show another stage."""
        self.card = replace(self.card, stage=stage)
        self._show()

    def part(self) -> None:
        """Take the card away."""
        self._path.unlink(missing_ok=True)
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def others(self) -> tuple[Card, ...]:
        """Return the cards of the other living members that count alike, by name; cards of the dead are thrown away."""
        found = (_read(path) for path in self._folder.iterdir() if path != self._path and not path.name.startswith("."))
        return tuple(sorted((card for card in found if card is not None and card.edition == self.card.edition), key=lambda card: card.name))

    def _show(self) -> None:
        os.pwrite(self._held, json.dumps(asdict(self.card)).encode().ljust(ROOM), 0)


def _read(path: Path) -> Card | None:
    """Return a living member's card; None: it is dead, or just being written."""
    try:
        seen = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(seen, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            told = json.loads(os.pread(seen, ROOM, 0))
            return Card(**{**told, "stage": Stage(told["stage"])})
        except (ValueError, TypeError, KeyError):
            return None
    else:
        path.unlink(missing_ok=True)
        return None
    finally:
        os.close(seen)


def owned(name: str, names: Collection[str]) -> int:
    """Return the bits of the slots that `name` owns among `names`."""
    return sum(1 << slot for slot in range(SLOTS + 1) if max(names, key=lambda each: (_weight(slot, each), each)) == name)


def _weight(slot: int, name: str) -> bytes:
    return md5(f"{slot}|{name}".encode(), usedforsecurity=False).digest()
