"""Access tokens: made once, shown once, kept as a hash."""

import hashlib
import secrets
from datetime import timedelta

from ctl.control.doors import Doors
from ctl.errors import BadInput
from ctl.model.access import Role, Token
from ctl.model.view import TokenView


def hash_of(secret: str) -> str:
    """Return what is stored of a token's secret. The secret has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(doors: Doors, name: str, role: str, ttl_s: float | None) -> TokenView:
    """Make a token and return it with its secret, the only time that is shown. Raises BadInput, Refused when the name exists."""
    if not name or len(name) > 64 or not name.isprintable():
        raise BadInput(f"{name!r} is no name for a token", remedy="give it a short name, e.g. ci-main")
    if role not in list(Role):
        raise BadInput(f"there is no role {role!r}", remedy=f"use one of {', '.join(Role)}")
    if ttl_s is not None and ttl_s <= 0:
        raise BadInput(f"a token cannot last {ttl_s:g} s", remedy="give it a positive time, or leave it out")
    now, secret = doors.clock.now(), f"msxf_{secrets.token_urlsafe(32)}"
    token = Token(name=name, role=Role(role), hash=hash_of(secret), created_at=now, expires_at=now + timedelta(seconds=ttl_s) if ttl_s else None)
    doors.tokens.put(token)
    return _view(token, secret)


def tokens(doors: Doors) -> list[TokenView]:
    """Return every token, without secrets."""
    return [_view(token, None) for token in doors.tokens.all()]


def _view(token: Token, secret: str | None) -> TokenView:
    expires = token.expires_at.isoformat() if token.expires_at else None
    return TokenView(name=token.name, role=token.role.value, created_at=token.created_at.isoformat(), expires_at=expires, secret=secret)
