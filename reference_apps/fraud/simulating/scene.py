"""Where a fraud happens: an incident with its time, its own dice, its victims, and how careful the fraudster is. What is done here is labelled."""

from dataclasses import dataclass, field
from random import Random

from reference_apps.fraud.simulating import habits
from reference_apps.fraud.simulating.habits import Fields
from reference_apps.fraud.simulating.town import HOUR_MS, Person, Town

MINUTE_MS = 60_000
WARY = 0.3
"""Share of the fraudsters who know what is looked at and avoid two thirds of it."""

Act = tuple[int, str, Fields]
"""When, the kind of event, and its fields."""


@dataclass(kw_only=True)
class Scene:
    """One incident. `at_ms` moves on as things are done."""

    town: Town
    luck: Random
    name: str
    at_ms: int
    is_wary: bool
    acts: list[Act] = field(default_factory=list)

    def leaves(self, often: float) -> bool:
        """Say whether a trace is left this time: as often as given, by the wary a third as often."""
        return self.luck.random() < (often / 3 if self.is_wary else often)

    def later(self, shortest_min: float, longest_min: float) -> int:
        """Let time pass and return what time it is."""
        self.at_ms += int(self.luck.uniform(shortest_min, longest_min) * MINUTE_MS)
        return self.at_ms

    def somebody(self) -> Person:
        """Pick a customer at random: a victim, a name borrowed, or who turns fraudster."""
        return self.luck.choice(self.town.people)

    def invented(self, number: int) -> Fields:
        """Return keys that nobody in town has: a bought SIM card, an account and a device of its own, and contacts who do not exist."""
        own = f"{self.name}-{number}"
        return {"account": f"x-{own}", "phone": f"170-{own}", "device": f"xd-{own}", "contacts": (f"xc-{own}-0", f"xc-{own}-1"), "address": f"x-street {own}"}

    def apply(self, person: Person, changed: Fields) -> None:
        """Hand in an application like this person's, except for what is changed."""
        self.acts.append((self.at_ms, "application", habits.application(self.luck, person, self.at_ms, None) | changed))

    def log_in(self, person: Person, changed: Fields) -> None:
        self.acts.append((self.at_ms, "login", habits.login(self.luck, person, self.at_ms) | changed))

    def pay(self, person: Person, changed: Fields) -> None:
        shop = self.luck.choice(self.town.merchants)
        self.acts.append((self.at_ms, "payment", habits.payment(self.luck, person, self.at_ms, shop) | changed))

    def share(self, alpha: float, beta: float) -> float:
        return habits.share(self.luck, alpha, beta)

    def hours(self, fewest: float, most: float) -> int:
        return int(self.luck.uniform(fewest, most) * HOUR_MS)
