"""From a slot to an order for the launcher: its artifact, its environment and its port. Blocking parts run in a worker thread."""

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ctl.backends.runtimes.local import portrange
from ctl.backends.runtimes.local.launching import LauncherDoor
from ctl.backends.runtimes.local.portrange import PortRange
from ctl.backends.runtimes.local.site import Site
from ctl.backends.runtimes.local.slots import Slot
from ctl.backends.runtimes.local.wire import Order, Outcome
from ctl.model.release import Release

WORKERS = 4
PASSED_ON = ("PATH", "HOME", "LANG")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What the runtime is given by the wiring: `fetch` unpacks a verified artifact and returns its folder, `gateway` returns the gateway's base URL."""

    fetch: Callable[[str], Path]
    gateway: Callable[[], str]


class Dispatch:
    """Sends a group's orders to the launcher. `workers` are the threads in which send() may block."""

    def __init__(self, site: Site, supplies: Supplies) -> None:
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="launching")
        self.launcher = LauncherDoor(site)
        self._site = site
        self._gateway = supplies.gateway
        self._artifacts = Unpacked(supplies.fetch)
        self._ports = PortRange(*site.ports)

    def new_port(self, taken: Set[int]) -> int:
        """Return a free port. Raises BackendError when there is none."""
        return self._ports.take(taken)

    def renew_ports(self, slots: Sequence[Slot], taken: Set[int]) -> None:
        """Keep every slot's port, except where a stranger listens on it by now. Raises BackendError."""
        for slot in slots:
            if not portrange.is_free(slot.port):
                self._ports.move()
                slot.port = self._ports.take(taken)

    def send(self, release: Release, slots: Sequence[Slot]) -> Sequence[Outcome]:
        """Start a process for each of these slots. Blocks. Raises NotFound, DigestMismatch, BackendError, OSError."""
        folder = self._artifacts.folder(release.digest)
        self._site.data(release.service).mkdir(mode=0o700, parents=True, exist_ok=True)
        gateway = self._gateway()
        return self.launcher.start([order(self._site, slot, folder, gateway) for slot in slots])


class Unpacked:
    """Artifacts in folders: each is fetched once, and again when its folder has gone. Safe for any thread."""

    def __init__(self, fetch: Callable[[str], Path]) -> None:
        self._fetch = fetch
        self._folders: dict[str, Path] = {}
        self._turns: dict[str, threading.Lock] = {}

    def folder(self, digest: str) -> Path:
        """Return the artifact's folder. Raises NotFound, DigestMismatch, BackendError."""
        with self._turns.setdefault(digest, threading.Lock()):
            known = self._folders.get(digest)
            if known is None or not known.is_dir():
                known = self._folders[digest] = self._fetch(digest)
            return known


def order(site: Site, slot: Slot, folder: Path, gateway: str) -> Order:
    """Return the order that starts the slot's next process."""
    release = slot.cohort.release
    return Order(
        id=slot.id,
        generation=slot.generation + 1,
        port=slot.port,
        argv=release.command,
        environment=environment(site, slot, gateway, folder),
        folder=str(folder),
        record=str(site.record(slot.id)),
        lock=str(site.lock(slot.id)),
        log=str(site.log(slot.id)),
    )


def environment(site: Site, slot: Slot, gateway: str, folder: Path) -> dict[str, str]:
    """Return all of an instance's environment: who it is wins over what its release says, and that over what is passed on."""
    release = slot.cohort.release
    return {
        **_passed_on(release, folder),
        **release.environment,
        "MSXF_SERVICE": release.service,
        "MSXF_RELEASE": release.id,
        "MSXF_INSTANCE": slot.id,
        "MSXF_ENV": site.environment,
        "MSXF_ZONE": site.zone,
        "MSXF_PORT": str(slot.port),
        "MSXF_DATA_DIR": str(site.data(release.service)),
        "MSXF_GATEWAY": gateway,
    }


def _passed_on(release: Release, folder: Path) -> Mapping[str, str]:
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    ours["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), ours.get("PATH", os.defpath)))
    return ours | ({"PYTHONPATH": str(folder), "PYTHONUNBUFFERED": "1"} if release.command[:1] == ("python",) else {})
