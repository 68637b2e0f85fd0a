"""What fraud may be told, checked at the door, and turned into events. Every mistake names the field, what was found and what to do."""

import ipaddress
import json
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from ctl.kit.problem import Problem
from reference_apps.fraud.model import Event, Evidence, Family, Fen, Key, Listing, ListKind

AHEAD = timedelta(minutes=5)
"""How far the clock of a caller may be ahead of ours."""

EPOCH, OLDEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
NAMED = re.compile(r"`\$?\.?(?P<path>[^`]+)`$")
BARE = re.compile(r"field `(?P<field>[^`]+)`")
REMEDY = "correct the named fields and send it again; nothing was changed"
SHOWN = 80
OCTETS = frozenset(map(str, range(256)))


class CheckBody(Evidence, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to be judged. `at` None: it happens now. Without device or phone it can be judged, but never passes unasked. All evidence is optional."""

    event_id: Key
    account: Key
    kind: Literal["application", "login", "payment"] = "application"
    at: Annotated[datetime, Meta(tz=True)] | None = None
    device: Key | None = None
    phone: Key | None = None
    ip: Annotated[str, Meta(min_length=2, max_length=45)] | None = None
    address: Key | None = None
    merchant: Key | None = None
    contacts: Annotated[tuple[Key, ...], Meta(max_length=20)] = ()
    amount_fen: Fen = 0

    def to_event(self, now: datetime) -> Event:
        """Return the event. Raises Problem (422)."""
        at = self.at or now
        if not OLDEST <= at <= now + AHEAD:
            where = "in the future" if at > now else f"before {OLDEST.date()}"
            raise Problem(422, "bad_input", f"at: {at.isoformat()} lies {where}", remedy="send the time when it happened, or leave it out")
        told = msgspec.to_builtins(self, builtin_types=(datetime,))  # what was left out is left out there as well
        for name in OURS:
            told.pop(name, None)
        return Event(**told, id=self.event_id, kind=self.kind, at_ms=milliseconds(at), network=network_of(self.ip) if self.ip else "")


OURS = ("event_id", "kind", "at", "ip")
"""What an event says otherwise than a check."""
CHECK = msgspec.json.Decoder(CheckBody)


def check(content: bytes, now: datetime) -> Event:
    """Read a check. Raises Problem (422)."""
    try:
        return CHECK.decode(content).to_event(now)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), content) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(422, "bad_input", f"body: it is no JSON object: {error}", remedy="send one event as a JSON object") from error


def _misfit(said: str, content: bytes) -> Problem:
    """Name the field, what is wrong with it, and what was found there."""
    what, _, place = said.partition(" - at ")
    named = NAMED.search(place) or None
    bare = BARE.search(what)
    field = bare["field"] if bare else named["path"] if named else "body"
    found = _found(content, field)
    detail = f"{field}: {what}" + (f"; found {found}" if found else "")
    return Problem(422, "bad_input", detail, remedy=REMEDY, errors=[{"field": field, "problem": what}])


def _found(content: bytes, field: str) -> str:
    """Return what stands in a field, shortened; empty when there is no such field."""
    try:
        told = json.loads(content)
    except ValueError:
        return ""
    name = re.split(r"[.\[]", field)[0]
    return json.dumps(told[name], ensure_ascii=False)[:SHOWN] if isinstance(told, dict) and name in told else ""


def network_of(ip: str) -> str:
    """Return the network of an address: /24 for IPv4, /48 for IPv6. Raises Problem (422)."""
    parts = ip.split(".")
    return f"{parts[0]}.{parts[1]}.{parts[2]}.0/24" if len(parts) == 4 and OCTETS.issuperset(parts) else _network_of(ip)


@lru_cache(maxsize=65_536)
def _network_of(ip: str) -> str:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError as error:
        raise Problem(422, "bad_input", f"ip: {ip!r} is no IP address", remedy="send it like 192.0.2.7 or 2001:db8::7, or leave it out") from error
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


class ListingBody(BaseModel):
    """An entry of a list; ttl_s 0 takes an earlier one back. A value of the family ip is an address or a network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list: ListKind
    family: Family
    value: Annotated[str, Field(min_length=1, max_length=128)]
    ttl_s: Annotated[StrictInt, Field(ge=0, le=10 * 365 * 86_400)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]

    def to_listing(self, now: datetime, by: str) -> Listing:
        """Return the entry as `by` makes it, in force from `now` on. Raises Problem (422)."""
        begin = milliseconds(now)
        value = network_of(self.value.partition("/")[0]) if self.family is Family.IP else self.value
        return Listing(kind=self.list, family=self.family, value=value, from_ms=begin, until_ms=begin + self.ttl_s * 1000, reason=f"{self.reason}, by {by}")


def milliseconds(at: datetime) -> int:
    """Return whole milliseconds since 1970, exactly."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def schema() -> dict[str, Any]:
    """Return the JSON schema of a check."""
    _, parts = msgspec.json.schema_components((CheckBody,))
    found: dict[str, Any] = parts["CheckBody"]
    return found
