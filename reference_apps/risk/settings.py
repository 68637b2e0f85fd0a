"""Risk's configuration: which packages serve, which bureaus are asked and how long, all checked before the first decision."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reference_apps.risk.desk import BUCKETS
from reference_apps.risk.measures.drift import LEAST_N
from reference_apps.risk.monitoring.watching import EVERY_S, LAST, Pace
from reference_apps.risk.packages import reading
from reference_apps.risk.variables.bureaus import BUREAUS

Config = Callable[[str, str], str]
APP = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The config keys `package.*`, `challenger.*`, `bureau.*`, `timeout.*_s` and `monitor.*`. `challenger` None: nothing is scored in shadow."""

    package: Path
    follow: bool
    challenger: Path | None
    salt: str
    buckets: int
    bureaus: dict[str, str]
    timeouts_s: dict[str, float]
    monitoring: Pace


def load(config: Config) -> Settings:
    """Read the settings. Raises ValueError naming the key."""
    challenger = config("challenger.package", "")
    return Settings(
        package=_folder(config("package.folder", "")) or reading.SHIPPED,
        follow=config("package.follow", "false") == "true",
        challenger=_folder(challenger),
        salt=config("challenger.salt", challenger),
        buckets=int(_number(config, "challenger.buckets", BUCKETS, BUCKETS)),
        bureaus={name: service for name in BUREAUS if (service := config(f"bureau.{name}", ""))},
        timeouts_s={name: _number(config, f"timeout.{name}_s", 1.0, 60.0) for name in BUREAUS},
        monitoring=Pace(
            every_s=_number(config, "monitor.every_s", EVERY_S, 86_400.0),
            last=int(_number(config, "monitor.last", LAST, 1_000_000)),
            min_n=int(_number(config, "monitor.min_n", LEAST_N, 1_000_000, least=LEAST_N)),
        ),
    )


def _folder(text: str) -> Path | None:
    """Return a folder: a name is one beside the shipped package."""
    return (APP / text) if text else None


def _number(config: Config, key: str, default: float, most: float, *, least: float = 0.0) -> float:
    text = config(key, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise ValueError(f"{key} is {text!r}; it must be a number from {least:g} to {most:g}")
    return value
