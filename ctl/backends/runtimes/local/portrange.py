"""Free ports out of a range: nobody of ours has them, and nobody else listens there now."""

import itertools
import random
import socket
from collections.abc import Set

from ctl.errors import BackendError

HOST = "127.0.0.1"


class PortRange:
    """Hands ports out in turn, from a place of its own, so that two homes on one machine seldom try the same at once."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self.move()

    def move(self) -> None:
        """Go on from another place: a stranger was in our way, perhaps a home that would stay one step ahead of us."""
        size = self._last - self._first + 1
        start = random.randrange(size)
        self._turn = (self._first + number % size for number in itertools.count(start))

    def take(self, taken: Set[int]) -> int:
        """Return a free port that is not `taken`. Raises BackendError when there is none."""
        for port in itertools.islice(self._turn, self._last - self._first + 1):
            if port not in taken and is_free(port):
                return port
        raise BackendError(f"no port from {self._first} to {self._last} is free", remedy="widen MSXFCTL_PORTS", retry_after_s=5.0)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True
