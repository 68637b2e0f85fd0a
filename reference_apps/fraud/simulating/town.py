"""A town: customers with homes, phones, devices and habits, merchants, and agents. Made from a seed alone; nothing here ever changes.

Some honest people look odd, because in life they do: families on one device, students at one address, travellers, people behind a VPN, people with a new
telephone who also reset their password, shops with round prices and an agent whose customers are late.
"""

from dataclasses import dataclass
from random import Random

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
BEGIN_MS = 1_749_916_800_000
"""Midnight in China, 15 June 2025."""

FAMILY_DEVICE, HOUSEHOLD, SAME_CONTACT = 0.03, 0.25, 0.08
TRAVELLER, BEHIND_VPN, NEW_PHONE, NEW_PASSWORD = 0.08, 0.04, 0.08, 0.03
CATEGORIES = ("food", "clothes", "travel", "phone", "household", "mobile_top_up", "gift_card", "medicine", "books", "jewellery")
CATEGORY_WEIGHTS = (30, 20, 8, 6, 15, 6, 2, 7, 4, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An honest customer. `trip`: when they are away; `phone_from_ms`: when the newer device replaces `old_device`; `password_ms`: the last change."""

    number: int
    account: str
    phone: str
    device: str
    old_device: str
    phone_from_ms: int
    password_ms: int
    sim_days: int
    network: str
    address: str
    contacts: tuple[str, ...]
    age: int
    income_fen: int
    limit_fen: int
    tenure_days: int
    active_days: int
    night_share: float
    busy: float
    trip: tuple[int, int]
    has_vpn: bool
    shops: tuple[int, ...]
    agent: int

    def device_at(self, at_ms: int) -> str:
        return self.device if at_ms >= self.phone_from_ms else self.old_device

    def is_away(self, at_ms: int) -> bool:
        return self.trip[0] <= at_ms < self.trip[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A shop. `round_fen`: prices are multiples of it."""

    name: str
    category: str
    age_days: int
    round_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who brings customers: a shop where applications are filled in."""

    shop: str
    network: str
    approval_rate: float
    default_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Everybody, for `days` from `begin_ms`."""

    seed: int
    begin_ms: int
    days: int
    people: tuple[Person, ...]
    merchants: tuple[Merchant, ...]
    agents: tuple[Agent, ...]


def dice(seed: int, *names: object) -> Random:
    """Return dice of their own for one purpose: what one of them throws never moves another."""
    return Random("|".join(map(str, (seed, *names))))


def found(seed: int, customers: int, days: int, begin_ms: int = BEGIN_MS) -> Town:
    """Return the town of a seed."""
    shops, agents = customers // 4 + 20, customers // 100 + 4
    people: list[Person] = []
    for number in range(customers):
        people.append(_person(dice(seed, "person", number), number, people[-1] if people else None, (customers, days, begin_ms, shops, agents)))
    merchants = tuple(_merchant(dice(seed, "merchant", number), number) for number in range(shops))
    return Town(
        seed=seed,
        begin_ms=begin_ms,
        days=days,
        people=tuple(people),
        merchants=merchants,
        agents=tuple(_agent(dice(seed, "agent", number), number) for number in range(agents)),
    )


def _person(luck: Random, number: int, neighbour: Person | None, size: tuple[int, int, int, int, int]) -> Person:
    customers, days, begin_ms, shops, agents = size
    is_student = number < max(6, customers // 40)
    home = luck.random()
    with_them = neighbour if neighbour is not None and home < HOUSEHOLD and not is_student else None
    device = neighbour.device if neighbour is not None and home < FAMILY_DEVICE else f"device-{number}"
    bought_ms = begin_ms + luck.randrange(days * DAY_MS) if luck.random() < NEW_PHONE and device == f"device-{number}" else 0
    away_ms = begin_ms + luck.randrange(days * DAY_MS) if luck.random() < TRAVELLER else 2**61
    friend = neighbour.contacts[0] if neighbour is not None and luck.random() < SAME_CONTACT else f"contact-{number}-0"
    income = luck.randrange(150_000, 400_000) if is_student else int(luck.lognormvariate(13.5, 0.4))
    return Person(
        number=number,
        account=f"customer-{number}",
        phone=f"138{number:08}",
        device=device,
        old_device=f"device-{number}-old" if bought_ms else device,
        phone_from_ms=bought_ms,
        password_ms=_password_ms(luck, begin_ms, days, bought_ms),
        sim_days=luck.randrange(1, 14) if bought_ms and luck.random() < 0.2 else luck.randrange(60, 2_000),
        network="10.200.0.0/24" if is_student else with_them.network if with_them else f"10.{number % 97}.{number // 97 % 250}.0/24",
        address="dormitory 1" if is_student else with_them.address if with_them else f"street {number}",
        contacts=(friend, f"contact-{number}-1"),
        age=luck.randrange(18, 24) if is_student else min(82, max(19, int(luck.gauss(36, 12)))),
        income_fen=max(100_000, income),
        limit_fen=max(50_000, min(5_000_000, income // 10_000 * 10_000 * luck.randrange(1, 4))),
        tenure_days=luck.randrange(30, 4_000),
        active_days=0 if luck.random() < 0.05 else luck.randrange(10, 900),
        night_share=round(luck.betavariate(1.2, 8), 3),
        busy=luck.uniform(0.3, 1.7),
        trip=(away_ms, away_ms + luck.randrange(2, 9) * DAY_MS),
        has_vpn=luck.random() < BEHIND_VPN,
        shops=tuple(luck.randrange(shops) for _ in range(6)),
        agent=luck.randrange(agents),
    )


def _password_ms(luck: Random, begin_ms: int, days: int, bought_ms: int) -> int:
    """Return when the password was last changed: with a new telephone one in three has forgotten it."""
    if bought_ms and luck.random() < 0.33:
        return bought_ms + luck.randrange(HOUR_MS)
    if luck.random() < NEW_PASSWORD:
        return begin_ms + luck.randrange(days * DAY_MS)
    return begin_ms - luck.randrange(5, 900) * DAY_MS


def _merchant(luck: Random, number: int) -> Merchant:
    return Merchant(
        name=f"shop-{number}",
        category=luck.choices(CATEGORIES, CATEGORY_WEIGHTS)[0],
        age_days=luck.randrange(5, 90) if luck.random() < 0.06 else luck.randrange(90, 4_000),
        round_fen=50_000 if luck.random() < 0.05 else 10_000 if luck.random() < 0.1 else 1,
    )


def _agent(luck: Random, number: int) -> Agent:
    return Agent(
        shop=f"agent-{number}",
        network=f"10.210.{number}.0/24",
        approval_rate=round(luck.uniform(0.55, 0.92), 3),
        default_rate=round(min(0.14, luck.betavariate(2, 50)), 3),
    )
