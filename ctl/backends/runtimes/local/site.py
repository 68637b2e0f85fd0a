"""Where a local runtime works, and how fast: folders of one home, the range of ports, and every time and limit of its supervision."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ctl.errors import BadInput

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@~-]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often instances are asked and how long they are waited for; the defaults are the contract, tests hurry.

    Asked every `quick_s` for the first `quick_for_s` of a start (fewer when many start: `most_quick_rps` for all together), then at the release's
    interval, and at `steady_factor` intervals once ready for `young_for_s`. `unready_after` failures in a row make it unready, `silent_limit` probes
    in a row without any answer end it; one that has never answered has `start_allowance_s` first.
    """

    quick_s: float = 0.1
    quick_for_s: float = 5.0
    most_quick_rps: float = 500.0
    young_for_s: float = 30.0
    steady_factor: float = 5.0
    unready_after: int = 3
    silent_limit: int = 10
    start_allowance_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One home on this machine. `ports` is (first, last) of the range that instances get theirs from."""

    home: Path
    environment: str = "local"
    zone: str = "local"
    ports: tuple[int, int] = (18000, 28000)
    pace: Pace = field(default_factory=Pace)

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def instances(self) -> Path:
        return self.run / "instances"

    @property
    def groups(self) -> Path:
        return self.run / "groups"

    @property
    def gone(self) -> Path:
        return self.run / "gone"

    @property
    def runtime_lock(self) -> Path:
        return self.run / "runtime.lock"

    @property
    def launcher_lock(self) -> Path:
        return self.run / "launcher.lock"

    @property
    def launcher_socket(self) -> Path:
        return self.run / "launcher.sock"

    @property
    def launcher_log(self) -> Path:
        return self.home / "logs" / "launcher.log"

    def record(self, instance: str) -> Path:
        return self.instances / f"{instance}.json"

    def lock(self, instance: str) -> Path:
        return self.instances / f"{instance}.lock"

    def log(self, instance: str) -> Path:
        return self.home / "logs" / f"{instance}.log"

    def data(self, service: str) -> Path:
        return self.home / "data" / service

    def prepare(self) -> None:
        """Make the folders, readable by this user alone; there already: nothing to do."""
        for folder in (self.home, self.run, self.instances, self.groups, self.gone, self.home / "logs", self.home / "data"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def is_plain(name: str) -> bool:
    """Whether a name may become a file's name as it is."""
    return _PLAIN.fullmatch(name) is not None


def require_plain(name: str) -> None:
    """Refuse a name that could not be a file's. Raises BadInput."""
    if not is_plain(name):
        raise BadInput(f"{name!r} cannot name an instance's files", remedy="use letters, digits and . _ + @ ~ -, beginning with a letter or digit")
