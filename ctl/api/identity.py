"""Who asks: the peer of a unix socket by its uid, everybody else by a bearer token; and what each role may do."""

import hashlib
import os
import pwd
import socket
import struct
from collections.abc import Callable
from typing import Any

from fastapi import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ctl.api.backing import Backing
from ctl.control.access import hash_of
from ctl.control.plane import ControlPlane
from ctl.errors import Forbidden, Unauthorised
from ctl.model.access import Caller, Role

PEER = "peer_uid"
_CREDENTIALS = struct.Struct("3i")


class PeerProtocol(HttpToolsProtocol):
    """HTTP that knows which user is at the other end of a unix socket; the kernel says so, the client cannot."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family == socket.AF_UNIX:
            _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
            self.app_state = {**self.app_state, PEER: uid}


def allowed(role: Role) -> Callable[[Request], ControlPlane]:
    """Return a dependency that gives the plane, acting as the caller. Raises Unauthorised, or Forbidden when the role does not cover `role`."""

    def plane(request: Request) -> ControlPlane:
        backing: Backing = request.app.state.backing
        who = caller(request, backing)
        if not who.role.covers(role):
            raise Forbidden(f"{who.name} may not do this", found=f"role {who.role}", remedy=f"it needs the role {role}")
        return backing.plane.acting_as(who)

    return plane


def caller(request: Request, backing: Backing) -> Caller:
    """Return who asks. Raises Unauthorised."""
    uid = peer(request.scope)
    if uid is not None and uid in (os.getuid(), 0):
        return Caller(name=_user(uid), role=Role.ADMIN)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthorised("this needs a token", remedy="send Authorization: Bearer TOKEN; make one with msxfctl token create NAME --role viewer")
    token = backing.tokens.find(hash_of(secret))
    if token is None or (token.expires_at is not None and token.expires_at <= backing.clock.now()):
        raise Unauthorised("the token is unknown or has expired", remedy="make a new one with msxfctl token create NAME --role ROLE")
    return Caller(name=token.name, role=token.role)


def peer(scope: Any) -> int | None:
    """Return the uid at the other end of the unix socket; None for TCP."""
    uid = (scope.get("state") or {}).get(PEER)
    return uid if isinstance(uid, int) else None


def fingerprint(scope: Any) -> str:
    """Name the caller of a request without asking the store: two callers never share one."""
    uid = peer(scope)
    known = b"uid %d" % uid if uid is not None else dict(scope["headers"]).get(b"authorization", b"")
    return hashlib.sha256(known).hexdigest()[:16]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
