"""Who may do what: roles and tokens. A token's secret is never kept, only its hash."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; each role includes the ones before it."""

    VIEWER = "viewer"
    RELEASER = "releaser"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Say whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: a name for the journal, and a role."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token as it is stored: `hash` is the SHA-256 of its secret."""

    name: str
    role: Role
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
