"""The tenant's policy from the configuration: which price table is in force, and the cap on what an offer may cost."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from reference_apps.risk.model import Cap, CapAction
from reference_apps.risk.packages.model import Package

Config = Callable[[str, str], str]
"""Returns the value of a key, or the default given."""


class BadPolicy(Exception):
    """A config key has a value that cannot be meant; the message names the key."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Reads `price.table`, `cap.irr` and `cap.action`; the caps of one tenant are `cap.irr.<tenant>` and `cap.action.<tenant>`."""

    config: Config
    table: str

    def cap(self, tenant: str) -> Cap | None:
        """Return the tenant's cap; None: it has none. Raises BadPolicy."""
        key = f"cap.irr.{tenant}"
        text = self.config(key, "")
        if not text:
            key, text = "cap.irr", self.config("cap.irr", "")
        action = self.config(f"cap.action.{tenant}", "") or self.config("cap.action", "refuse")
        return _cap(key, text, action) if text else None

    def check(self, package: Package) -> None:
        """Say whether a package can be decided with under this policy. Raises BadPolicy."""
        if self.table not in package.prices:
            raise BadPolicy(f"price.table is {self.table!r}; the package has {', '.join(sorted(package.prices))}")


def load(config: Config, package: Package) -> Policy:
    """Check the policy before anything is decided by it. Raises BadPolicy."""
    policy = Policy(config, config("price.table", "standard"))
    policy.check(package)
    policy.cap("default")
    return policy


def _cap(key: str, text: str, action: str) -> Cap:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadPolicy(f'{key} is {text!r}; write a decimal fraction such as "0.24"') from error
    if not 0 < value <= 10:
        raise BadPolicy(f"{key} is {text!r}; a cap is a fraction above 0, such as 0.24 for 24 %")
    if action not in set(CapAction):
        raise BadPolicy(f"cap.action is {action!r}; write refuse, clamp or warn")
    return Cap(value, CapAction(action))
