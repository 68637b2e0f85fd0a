"""Who this instance is and how it is configured: the MSXF_* environment as values. The only place of the kit that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One instance, as its runtime named it. `port` 0: a free one; `gateway` empty: this instance can call nobody."""

    service: str
    release: str
    instance: str
    environment: str
    zone: str
    port: int
    data_dir: Path
    gateway: str
    depends_on: tuple[str, ...]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Identity":
        """Read MSXF_*; what is missing gets a value good enough to run by hand. Raises ValueError naming the variable."""
        env = os.environ if environ is None else environ
        service = env.get("MSXF_SERVICE") or "unnamed"
        return cls(
            service=service,
            release=env.get("MSXF_RELEASE") or "unreleased",
            instance=env.get("MSXF_INSTANCE") or f"{service}-by-hand",
            environment=env.get("MSXF_ENV") or "local",
            zone=env.get("MSXF_ZONE", ""),
            port=_port(env.get("MSXF_PORT") or "0"),
            data_dir=Path(env.get("MSXF_DATA_DIR") or f".msxf-data/{service}").absolute(),
            gateway=env.get("MSXF_GATEWAY", "").rstrip("/"),
            depends_on=tuple(name.strip() for name in env.get("MSXF_DEPENDS_ON", "").split(",") if name.strip()),
        )


def config(key: str, default: str = "") -> str:
    """Return the config value of `key`: "price.table" is read from MSXF_CONFIG_PRICE_TABLE."""
    return os.environ.get(_variable(key), default)


@lru_cache(maxsize=1024)
def _variable(key: str) -> str:
    return "MSXF_CONFIG_" + "".join(char if char.isalnum() else "_" for char in key).upper()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise ValueError(f"MSXF_PORT is {text!r}, which is no port; set it to a number from 1 to 65535")
    return int(text)
