"""What the configuration decides about lending: the tenant's cap on what a loan may cost, and the days nobody works."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from ctl.kit.problem import Problem
from reference_apps.ledger.loans.cap import Cap, CapAction
from reference_apps.ledger.loans.duedate import ALWAYS_OPEN, Shift
from reference_apps.ledger.loans.product import LoanProduct

Config = Callable[[str, str], str]
"""Returns the value of a key, or the default given."""


class BadPolicy(ValueError):
    """A config key has a value that cannot be meant; the message names the key."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Reads `cap.irr` and `cap.action`, those of one tenant with `.<tenant>`; `days` are the non-working ones, None without a calendar."""

    config: Config
    days: frozenset[date] | None = None

    def cap(self, tenant: str) -> Cap | None:
        """Return the tenant's cap; None: it has none. Raises BadPolicy."""
        key = f"cap.irr.{tenant}"
        text = self.config(key, "")
        if not text:
            key, text = "cap.irr", self.config("cap.irr", "")
        action = self.config(f"cap.action.{tenant}", "") or self.config("cap.action", "refuse")
        return _cap(key, text, action) if text else None

    def closed(self, product: LoanProduct) -> frozenset[date]:
        """Return the non-working days a product's due dates avoid. Raises Problem when they should and there is no calendar."""
        if product.shift is Shift.NONE:
            return ALWAYS_OPEN
        if self.days is None:
            detail = f"shift: {product.shift}, but this ledger has no calendar of non-working days"
            raise Problem(422, "no_calendar", detail, remedy="leave shift out, or have the config key calendar.file set")
        return self.days


NO_POLICY = Policy(lambda _, default: default)


def load(config: Config) -> Policy:
    """Check the policy before anything is lent by it; `calendar.file` names a file of non-working days, one a line. Raises BadPolicy."""
    path = config("calendar.file", "")
    policy = Policy(config, _days(Path(path)) if path else None)
    policy.cap("default")
    return policy


def _days(path: Path) -> frozenset[date]:
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BadPolicy(f"calendar.file is {str(path)!r}, which cannot be read: {error}") from error
    written = {number: line.partition("#")[0].strip() for number, line in enumerate(lines, 1)}
    return frozenset(_day(path, number, text) for number, text in written.items() if text)


def _day(path: Path, number: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadPolicy(f"line {number} of {path} is {text!r}; write a day such as 2026-10-01") from error


def _cap(key: str, text: str, action: str) -> Cap:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadPolicy(f'{key} is {text!r}; write a decimal fraction such as "0.24"') from error
    if not 0 < value <= 10:
        raise BadPolicy(f"{key} is {text!r}; a cap is a fraction above 0, such as 0.24 for 24 %")
    if action not in set(CapAction):
        raise BadPolicy(f"cap.action is {action!r}; at contract write refuse or warn")
    return Cap(value, CapAction(action))
