"""The gateway's port on loopback: given, or chosen once and kept, so that callers find it again after every restart."""

import ipaddress
import random
import socket

from ctl.backends.traffic import site
from ctl.backends.traffic.site import Site
from ctl.errors import BackendError, BadInput
from ctl.model.fleet import Routes

LOOPBACK = "127.0.0.1"
CHOICES = range(10000, 18000)  # below the kernel's ephemeral ports: none of those may take it while the gateway restarts
TRIES = 200


def keep(where: Site, port: int) -> int:
    """Return the port of this home: `port` if it is not 0, else the one kept, else a free one. Raises BackendError."""
    with where.alone("port"):
        kept = where.folder / "port"
        text = site.read(kept).strip()
        chosen = port or (int(text) if text.isdecimal() else choose())
        if text != str(chosen):
            site.replace(kept, f"{chosen}\n")
    return chosen


def choose() -> int:
    """Return a port that is free now. Raises BackendError."""
    for port in random.SystemRandom().sample(CHOICES, TRIES):
        if is_free(port):
            return port
    raise BackendError(f"found no free port for the gateway in {TRIES} tries", remedy="set MSXFCTL_GATEWAY_PORT")


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def check(routes: Routes) -> None:
    """See to it that every address is one that a gateway can connect to without asking anybody. Raises BadInput."""
    for address in (address for entry in routes.entries for address in entry.addresses):
        host, _, number = address.rpartition(":")
        try:
            ipaddress.ip_address(host)
            if not 0 < int(number) < 65536:
                raise ValueError(f"{number} is no port")
        except ValueError as error:
            raise BadInput(f"cannot route {routes.service} to {address!r}", found=str(error), remedy='an address is "ip:port"') from error
