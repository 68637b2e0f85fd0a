"""How a sample behaves, from its config keys: what it costs, how often it fails, how far it calls."""

from dataclasses import dataclass

from ctl.kit.identity import config


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The config keys `sample.<field>`; the defaults are a healthy release.

    `seed` empty: failures fall at random, else always on the same requests. `unready`: the reason why it never takes traffic. `start_ms`: how long
    it takes to start. `depth`: how many levels of dependencies a request without x-msxf-depth reaches.
    """

    latency_ms: float = 0.0
    error_pct: float = 0.0
    start_ms: float = 0.0
    depth: int = 1
    budget_ms: float = 1000.0
    seed: str = ""
    unready: str = ""


def load() -> Behaviour:
    """Read the behaviour from the config. Raises ValueError naming the key."""
    return Behaviour(
        latency_ms=_number("latency_ms", 0, 60_000),
        error_pct=_number("error_pct", 0, 100),
        start_ms=_number("start_ms", 0, 600_000),
        depth=int(_number("depth", 1, 3)),
        budget_ms=_number("budget_ms", 1000, 60_000),
        seed=config("sample.seed"),
        unready=config("sample.unready"),
    )


def _number(key: str, default: float, most: float) -> float:
    text = config(f"sample.{key}")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ValueError(f"sample.{key} is {text!r}; it must be a number from 0 to {most:g}")
    return value
