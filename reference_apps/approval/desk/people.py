"""Who works at the desk, and which tasks they may take. Pure values; a person is known by the id that their employer gave them."""

from dataclasses import dataclass
from enum import StrEnum

MOST_FEN = 10**13


class Role(StrEnum):
    """What somebody is at the desk for. A supervisor also sees overdue tasks of skills they do not have, and may take back what others hold."""

    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """One person. `skills` are the kinds of task they may take, `ceiling_fen` the largest amount; not `active`: revoked."""

    id: str
    name: str
    skills: tuple[str, ...]
    ceiling_fen: int = MOST_FEN
    role: Role = Role.REVIEWER
    active: bool = True
