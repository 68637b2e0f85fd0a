"""What stands between the catalog's text and its services: entries as far as they could be read, and what is found wrong with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ctl.model.service import Layer, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One service as written, with what could be read of it even where the rest is wrong.

    `services` is the service as each environment sees it, by environment; empty where the entry has mistakes of its own. `ports` are fixed numbers.
    """

    name: str
    layer: Layer = Layer.MIDDLE
    depends_on: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with an entry that can be read: `field` is the path of names and list positions inside it.

    `environment` names the one in which it is wrong; empty: in every one.
    """

    service: str
    field: tuple[str | int, ...]
    message: str
    remedy: str
    environment: str = ""


Judge = Callable[[Sequence[Entry]], Sequence[Finding]]
"""Judges all entries of a catalog at once, because some mistakes are between two of them."""
