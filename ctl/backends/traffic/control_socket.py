"""How the gateway's program is asked: a unix socket in the run folder, reached whatever the length of the folder's path."""

import http.client
import os
import socket
from pathlib import Path

from ctl.backends.traffic.site import SOCKET
from ctl.errors import BackendError

TIMEOUT_S = 2.0


def connect(run: Path) -> socket.socket:
    """Return a connection to the gateway's control socket. Raises BackendError when the gateway is down."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(TIMEOUT_S)
    try:
        folder = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            line.connect(f"/proc/self/fd/{folder}/{SOCKET}")
        finally:
            os.close(folder)
    except OSError as error:
        line.close()
        raise failed(error) from error
    return line


def get(run: Path, path: str) -> bytes:
    """Ask over HTTP and return the body of a 200. Raises BackendError."""
    connection = http.client.HTTPConnection("gateway", timeout=TIMEOUT_S)
    connection.sock = connect(run)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise failed(error) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise BackendError(f"the gateway answered {answer.status} to {path.partition('?')[0]}", found=body[:200].decode(errors="replace"))
    return body


def failed(error: Exception) -> BackendError:
    found = f"{type(error).__name__}: {error}"
    return BackendError("could not ask the gateway", found=found, remedy="it is started again within a second; see logs/gateway.log")
