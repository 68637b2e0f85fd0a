"""MSXFCTL_* variables -> one frozen Settings. The only place that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ctl.errors import BadInput

PACKAGE = Path(__file__).parent
LONGEST_HOME = 107 - len("/run/launcher.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where msxfctl keeps its state and what it talks to. Paths are absolute.

    `root` is where `build` packs from, `templates` the folder of jinja2 templates.
    """

    home: Path
    catalog: Path
    root: Path
    templates: Path
    environment: str = "local"
    gateway: str = "auto"
    gateway_port: int = 0
    api_port: int = 0
    ports_from: int = 18000
    ports_to: int = 28000

    @property
    def socket(self) -> Path:
        return self.home / "msxfctl.sock"

    @property
    def database(self) -> Path:
        return self.home / "state.db"


def load(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """Read settings from the environment; defaults are safe for one machine. Raises BadInput naming the variable."""
    env = os.environ if environ is None else environ
    here = Path(env.get("MSXFCTL_ROOT", cwd or Path.cwd())).absolute()
    is_project = "MSXFCTL_ROOT" in env or (here / "catalog").is_dir()
    gateway = env.get("MSXFCTL_GATEWAY", "auto")
    if gateway not in ("auto", "envoy", "proxy"):
        raise BadInput(f"MSXFCTL_GATEWAY is {gateway!r}", remedy="set it to auto, envoy or proxy")
    low, high = _ports(env.get("MSXFCTL_PORTS", "18000-28000"))
    return Settings(
        home=_home(Path(env.get("MSXFCTL_HOME", here / ".msxfctl")).absolute()),
        catalog=Path(env.get("MSXFCTL_CATALOG", here / "catalog" if is_project else _shipped("catalog"))).absolute(),
        root=here if is_project else PACKAGE.parent,
        templates=_shipped("templates"),
        environment=env.get("MSXFCTL_ENV", "local"),
        gateway=gateway,
        gateway_port=_port(env, "MSXFCTL_GATEWAY_PORT"),
        api_port=_port(env, "MSXFCTL_API_PORT"),
        ports_from=low,
        ports_to=high,
    )


def _home(folder: Path) -> Path:
    """Refuse a state folder whose sockets could have no name: the kernel allows 107 bytes for one."""
    if len(os.fsencode(folder)) > LONGEST_HOME:
        found = f"{folder} has {len(os.fsencode(folder))} bytes"
        raise BadInput("the path of the state folder is too long for its sockets", found=found, remedy=f"set MSXFCTL_HOME to one of at most {LONGEST_HOME}")
    return folder


def _shipped(name: str) -> Path:
    """Return a folder that comes with msxfctl: beside the package in a checkout, inside it where it was installed from a wheel."""
    inside = PACKAGE / f"_{name}"
    return inside if inside.is_dir() else PACKAGE.parent / name


def _port(env: Mapping[str, str], name: str) -> int:
    text = env.get(name, "0")
    if not text.isdecimal() or int(text) > 65535:
        raise BadInput(f"{name} is {text!r}, which is no port", remedy="set it to a number from 1 to 65535, or 0 to choose a free one")
    return int(text)


def _ports(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and 1024 <= int(low) < int(high) <= 65535):
        raise BadInput(f"MSXFCTL_PORTS is {text!r}, which is no range of ports", remedy='write it as "18000-28000"')
    return int(low), int(high)
