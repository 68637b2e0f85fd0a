"""What fraud knows and says: events, lists, verdicts. Values only; times are milliseconds since 1970, money is fen."""

from enum import IntEnum, StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Key = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=128)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=10**6)]
Days = Annotated[int, Meta(ge=0, le=200 * 366)]
Fen = Annotated[int, Meta(ge=0, le=10**13)]
Kilometres = Annotated[float, Meta(ge=0, le=40_100)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]


class Verdict(IntEnum):
    """What is to be done, from lenient to strict: the strictest one wins."""

    PASS = 0
    STEP_UP = 1
    REVIEW = 2
    BLOCK = 3

    @property
    def word(self) -> str:
        return WORDS[self]


WORDS = ("pass", "step-up", "review", "block")


class Family(StrEnum):
    """What events are counted by, and what lists name. `ip` is the network, "192.0.2.0/24"."""

    ACCOUNT = "account"
    DEVICE = "device"
    PHONE = "phone"
    IP = "ip"
    ADDRESS = "address"
    MERCHANT = "merchant"
    CONTACT = "contact"


class ListKind(StrEnum):
    """Lists, strongest first."""

    BLOCK = "block"
    GREY = "grey"
    WHITE = "white"


class Evidence(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the models may be told besides who, what and how much. None: not known. The models' modules say what each means."""

    limit_fen: Annotated[int, Meta(gt=0, le=10**13)] | None = None
    activated_days: Days | None = None
    merchant_category: Text | None = None
    merchant_age_days: Days | None = None
    refunds_24h: Count | None = None
    name_match: Share | None = None
    id_phone_match: Share | None = None
    card_match: Share | None = None
    face_score: Share | None = None
    liveness_score: Share | None = None
    ocr_match: Share | None = None
    applicant_age: Annotated[int, Meta(ge=0, le=150)] | None = None
    id_region_match: bool | None = None
    phone_tenure_days: Days | None = None
    geocode_precision_m: Amount | None = None
    home_work_km: Kilometres | None = None
    home_ip_km: Kilometres | None = None
    home_gps_km: Kilometres | None = None
    home_delivery_km: Kilometres | None = None
    bad_address_similarity: Share | None = None
    address_edits: Count | None = None
    forwarder: bool | None = None
    proxy: bool | None = None
    hosting_network: bool | None = None
    emulator: bool | None = None
    rooted: bool | None = None
    timezone_mismatch: bool | None = None
    blacklist_hits: Count | None = None
    domain_age_days: Days | None = None
    night_share: Share | None = None
    dwell_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None
    paste_ratio: Share | None = None
    touch_entropy: Share | None = None
    key_entropy: Share | None = None
    path_rarity: Share | None = None
    retries: Count | None = None
    captcha_fails: Count | None = None
    requests_per_minute: Amount | None = None
    device_age_days: Days | None = None
    fingerprint_entropy: Share | None = None
    factory_reset: bool | None = None
    bureau_queries_30d: Count | None = None
    contact_reciprocity: Share | None = None
    new_device: bool | None = None
    credential_changed_hours: Amount | None = None
    sim_swap_days: Days | None = None
    geo_speed_kmh: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    payee_added_hours: Amount | None = None
    session_reused: bool | None = None
    agent_approval_rate: Share | None = None
    agent_default_rate: Share | None = None
    same_gps_submissions: Count | None = None
    serial_reuse: Count | None = None
    closing_time_burst: Share | None = None
    utilisation_jump: Share | None = None
    payment_channel_changed: bool | None = None
    monthly_income_fen: Annotated[int, Meta(gt=0, le=10**13)] | None = None
    shopping_drop: Share | None = None
    peer_delinquency: Share | None = None


class Event(Evidence, gc=False, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something that happened. A key that is empty is unknown."""

    id: str
    kind: str
    at_ms: int
    account: str
    device: str = ""
    phone: str = ""
    network: str = ""
    address: str = ""
    merchant: str = ""
    contacts: tuple[str, ...] = ()
    amount_fen: int = 0

    def keys(self, family: Family) -> tuple[str, ...]:
        """Return what the event has of a family; none is none."""
        if family is Family.CONTACT:
            return self.contacts
        key: str = getattr(self, "network" if family is Family.IP else family.value)
        return (key,) if key else ()


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a list: in force for events at `from_ms` <= t < `until_ms`."""

    kind: ListKind
    family: Family
    value: str
    from_ms: int
    until_ms: int
    reason: str


class Reason(msgspec.Struct, frozen=True):
    """Why: a code, words, and how much it weighs (1 for hard rules and lists)."""

    code: str
    text: str
    weight: float


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """The answer to one event: the verdict, each model's probability in millionths (None: no score), at most five reasons, the weightiest first, and
    what rules in shadow would have said."""

    verdict: Verdict
    probabilities: tuple[int | None, ...]
    reasons: tuple[Reason, ...]
    shadow: tuple[Reason, ...] = ()
