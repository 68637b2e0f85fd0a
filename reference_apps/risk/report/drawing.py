"""Charts as values: points, lines and bars in the coordinates of an SVG. Pure; a template writes them down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 520, 310
LEFT, RIGHT, TOP, BOTTOM = 60, 28, 12, 46
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what stands there."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline: "x,y x,y ..."; `kind` is its style's name."""

    points: str
    kind: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point and what it says when pointed at."""

    x: float
    y: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart. `keys` are (style, words) of its legend; `about` says in words what it shows."""

    about: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_name: str
    keys: tuple[tuple[str, str], ...] = ()
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()

    @property
    def frame(self) -> dict[str, int]:
        """Return the size of the whole and the edges of the drawing in it."""
        return {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "bottom": HEIGHT - BOTTOM}


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places: `low` lies at `begin`, `high` at `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 2)


def across(low: float, high: float) -> Scale:
    """Return the scale of the x axis."""
    return Scale(low, high if high > low else low + 1, LEFT, WIDTH - RIGHT)


def upward(high: float) -> Scale:
    """Return the scale of the y axis, from 0."""
    return Scale(0.0, high if high > 0 else 1.0, HEIGHT - BOTTOM, TOP)


def line(points: Sequence[tuple[float, float]], x: Scale, y: Scale, kind: str) -> Line:
    return Line(" ".join(f"{x.at(a)},{y.at(b)}" for a, b in points), kind)


def bar(x: Scale, y: Scale, span: tuple[float, float], value: float, kind: str, title: str = "") -> Bar:
    """Return a bar over `span` of the x axis, from 0 to a value."""
    begin, end, top = x.at(span[0]), x.at(span[1]), y.at(value)
    return Bar(begin, top, round(max(0.5, end - begin), 2), round(y.at(0) - top, 2), kind, title)


def round_above(value: float) -> float:
    """Return the next round number (1, 2, 2.5, 5 times a power of ten) that is not below a positive value; 1 for anything else."""
    if not value > 0 or math.isinf(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-12))


def ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Return round values from low to high, at most about `most` of them."""
    step = round_above((high - low) / most)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(at * step, 10) for at in range(first, math.floor(high / step + 1e-9) + 1))


def shares(scale: Scale, most: int = 5) -> tuple[Tick, ...]:
    """Return ticks of an axis of shares, in percent."""
    return tuple(Tick(scale.at(value), f"{value * 100:g} %") for value in ticks(scale.low, scale.high, most))


def numbers(scale: Scale, most: int = 6) -> tuple[Tick, ...]:
    """Return ticks of an axis of numbers."""
    return tuple(Tick(scale.at(value), f"{value:g}") for value in ticks(scale.low, scale.high, most))
