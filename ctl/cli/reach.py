"""Who answers a command: the daemon of this home, a server that was named, or, without either, a control plane that ticks in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctl.errors import BadInput

if TYPE_CHECKING:
    from ctl.client import RemotePlane
    from ctl.ports import Plane
    from ctl.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A plane; `here` says that it ticks in this process, so that a rollout rests when the command ends. `where` names it for people."""

    plane: "Plane"
    here: bool
    where: str


@contextmanager
def plane(server: str, token_file: str) -> Iterator[Reached]:
    """Open the plane: `server` (with the token in `token_file`) where one is named, else the daemon, else this process."""
    if server:
        yield Reached(plane=remote(server, token_file), here=False, where=server)
        return
    from ctl import settings

    known = settings.load()
    daemon = daemon_of(known)
    if daemon is not None:
        yield Reached(plane=daemon, here=False, where=str(known.socket))
        return
    from ctl import wiring
    from ctl.client import RemotePlane

    with wiring.open_plane(known) as opened:
        yield Reached(plane=opened, here=not isinstance(opened, RemotePlane), where=str(known.home))


def daemon_of(settings: "Settings", *, timeout_s: float = 30.0) -> "RemotePlane | None":
    """Return the plane of the daemon that answers at the home's socket, if one does."""
    if not settings.socket.exists():
        return None
    from ctl.client import RemotePlane

    found = RemotePlane(settings.socket, timeout_s=timeout_s)
    return found if found.is_there() else None


def remote(server: str, token_file: str, *, timeout_s: float = 30.0) -> "RemotePlane":
    """Return the plane at a URL. The token comes from a file, never from the command line, where every user could read it. Raises BadInput."""
    from ctl.client import RemotePlane

    return RemotePlane(url=server, token=_token(token_file), timeout_s=timeout_s)


def _token(file: str) -> str:
    if not file:
        return ""
    try:
        token = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "write the token into it: msxfctl token create NAME --file FILE"
        raise BadInput(f"the token file {file} cannot be read", found=str(error), remedy=remedy) from error
    if not token or not token.isascii() or not token.isprintable():
        raise BadInput(f"the token file {file} holds no token", remedy="it must hold the token alone, on one line")
    return token
