"""A town's log: honest life and eleven kinds of fraud, in the order of time, with labels beside it. The same seed gives the same bytes.

Each person and each incident has dice of its own, so leaving the frauds out changes nothing in the life around them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from reference_apps.fraud.model import Event
from reference_apps.fraud.simulating import habits, town
from reference_apps.fraud.simulating.habits import Fields
from reference_apps.fraud.simulating.patterns.all import PATTERNS, incidents
from reference_apps.fraud.simulating.scene import WARY, Act, Scene
from reference_apps.fraud.simulating.town import DAY_MS, Person, Town

LOGINS, PAYMENTS, APPLICATIONS = 0.45, 0.3, 0.02
"""A day, of somebody ordinary."""
BY_AGENT = 0.25
LAST_ACTS_MS = 2 * DAY_MS
EMPTY: tuple[object, ...] = (None, "", ())


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What an event was part of. Events without a label are honest."""

    event_id: str
    pattern: str
    incident: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A log, and labels by the event's id."""

    events: tuple[Event, ...]
    labels: Mapping[str, Label]


def tell(seed: int, *, days: int, customers: int, often: float = 1.0) -> Story:
    """Return the log of a town. `often`: fraud so many times as often as its rates say; 0: only honest life. Raises ValueError when the town is too small."""
    if days < 3 or customers < 20:
        raise ValueError(f"days is {days} and customers {customers}; a town has 20 customers and 3 days at least")
    made = town.found(seed, customers, days)
    honest = (("", act) for person in made.people for act in _life(made, person))
    found = [*honest, *_frauds(made, often)]
    found.sort(key=lambda each: (each[1][0], each[1][2]["account"], each[1][1], each[0]))
    events, labels = [], {}
    for number, (incident, (at_ms, kind, fields)) in enumerate(found):
        event = _event(f"{seed}-{number}", at_ms, kind, fields)
        events.append(event)
        if incident:
            labels[event.id] = Label(event_id=event.id, pattern=incident.partition("#")[0], incident=incident, account=event.account)
    return Story(events=tuple(events), labels=labels)


def _event(event_id: str, at_ms: int, kind: str, fields: Fields) -> Event:
    return Event(id=event_id, kind=kind, at_ms=at_ms, **{name: value for name, value in fields.items() if value not in EMPTY})


def _life(made: Town, person: Person) -> Iterator[Act]:
    """Yield what somebody does, day by day."""
    luck = town.dice(made.seed, "life", person.number)
    for day in range(made.days):
        day_ms = made.begin_ms + day * DAY_MS
        busy = person.busy * habits.WEEKDAYS[(day + 6) % 7]
        for _ in range(_times(luck.random(), LOGINS * busy)):
            at_ms = habits.when(luck, day_ms, person.night_share)
            yield at_ms, "login", habits.login(luck, person, at_ms)
        for _ in range(_times(luck.random(), PAYMENTS * busy)):
            at_ms = habits.when(luck, day_ms, person.night_share)
            shop = made.merchants[luck.choice(person.shops) if luck.random() < 0.8 else luck.randrange(len(made.merchants))]
            yield at_ms, "payment", habits.payment(luck, person, at_ms, shop)
        if luck.random() < APPLICATIONS * busy:
            at_ms = habits.when(luck, day_ms, person.night_share)
            yield at_ms, "application", habits.application(luck, person, at_ms, made.agents[person.agent] if luck.random() < BY_AGENT else None)


def _times(chance: float, expected: float) -> int:
    """Return how often something happens: rarely twice or three times (geometric, by one throw)."""
    number, share = 0, expected / (1 + expected)
    while chance < share and number < 6:
        number, chance = number + 1, chance / share
    return number


def _frauds(made: Town, often: float) -> Iterator[tuple[str, Act]]:
    """Yield what fraudsters do, with the incident it belongs to."""
    for pattern, (_, commit) in PATTERNS.items():
        for number in range(incidents(pattern, len(made.people), made.days, often)):
            luck = town.dice(made.seed, pattern, number)
            begin_ms = made.begin_ms + luck.randrange(made.days * DAY_MS - LAST_ACTS_MS)
            scene = Scene(town=made, luck=luck, name=f"{pattern[:3]}{pattern[-3:]}{number}", at_ms=begin_ms, is_wary=luck.random() < WARY)
            commit(scene)
            yield from ((f"{pattern}#{number}", act) for act in scene.acts)
