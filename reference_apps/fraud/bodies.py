"""What fraud may be told, checked at the door, and turned into events."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from ctl.kit.problem import Problem
from reference_apps.fraud.model import Event, Family, Listing, ListKind

AHEAD = timedelta(minutes=5)
"""How far the clock of a caller may be ahead of ours."""

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)

Key = Annotated[str, Field(min_length=1, max_length=128)]


class Body(BaseModel):
    """What every body has in common: a field we do not know is a mistake, not something to ignore."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CheckBody(Body):
    """An event to be judged. `at` None: it happens now. Without device or phone it can be judged, but never passes unasked."""

    event_id: Key
    kind: Literal["application", "login", "payment"] = "application"
    at: AwareDatetime | None = None
    account: Key
    device: Key | None = None
    phone: Key | None = None
    contacts: Annotated[tuple[Key, ...], Field(max_length=20)] = ()
    amount_fen: Annotated[StrictInt, Field(ge=0, le=10**13)] = 0

    def to_event(self, now: datetime) -> Event:
        at = self.at or now
        if not OLDEST <= at <= now + AHEAD:
            where = "in the future" if at > now else f"before {OLDEST.date()}"
            raise Problem(422, "bad_input", f"at: {at.isoformat()} lies {where}", remedy="send the time when it happened, or leave it out")
        return Event(
            id=self.event_id,
            kind=self.kind,
            at_ms=milliseconds(at),
            account=self.account,
            device=self.device or "",
            phone=self.phone or "",
            contacts=self.contacts,
            amount_fen=self.amount_fen,
        )


class ListingBody(Body):
    """An entry of a list; ttl_s 0 takes an earlier one back."""

    list: ListKind
    family: Family
    value: Key
    ttl_s: Annotated[StrictInt, Field(ge=0, le=10 * 365 * 86_400)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]

    def to_listing(self, now: datetime) -> Listing:
        begin = milliseconds(now)
        return Listing(kind=self.list, family=self.family, value=self.value, from_ms=begin, until_ms=begin + self.ttl_s * 1000, reason=self.reason)


def milliseconds(at: datetime) -> int:
    """Return whole milliseconds since 1970, exactly."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
