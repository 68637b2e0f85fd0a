"""How well a risk estimate puts bads before goods: ROC, AUC and KS. Pure; a higher estimate means a worse customer, ties count half."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from reference_apps.risk.measures.vectors import Numbers, Vector, is_bad, vector

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the bounds of its 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares of bads (`caught`) and goods (`lost`) at or above each distinct estimate, the highest first, from 0 to 1."""

    estimate: Vector
    caught: Vector
    lost: Vector


def auc(estimates: Numbers, labels: Numbers) -> float:
    """Return the chance that a bad has a higher estimate than a good, a tie counting 1/2. Raises ValueError without goods or bads."""
    bads, goods = _parted(estimates, labels)
    return float(_placements(bads, goods).mean())


def auc_interval(estimates: Numbers, labels: Numbers) -> Interval:
    """Return AUC with its confidence (DeLong et al. 1988), kept inside [0, 1]."""
    bads, goods = _parted(estimates, labels)
    above, below = _placements(bads, goods), 1 - _placements(goods, bads)
    value = float(above.mean())
    spread = Z95 * float(np.sqrt(_variance(above) + _variance(below)))
    return Interval(value, max(0.0, value - spread), min(1.0, value + spread))


def curve(estimates: Numbers, labels: Numbers) -> Curve:
    """Return the ROC curve. Raises ValueError without goods or bads."""
    bads, goods = _parted(estimates, labels)
    levels = np.unique(np.concatenate([bads, goods]))[::-1]
    caught, lost = ((1 - np.searchsorted(np.sort(group), levels, side="left") / group.size) for group in (bads, goods))
    return Curve(np.append(np.inf, levels), np.append(0.0, caught), np.append(0.0, lost))


def ks(estimates: Numbers, labels: Numbers) -> float:
    """Return the largest distance between the shares of bads and goods above any estimate. Raises ValueError without goods or bads."""
    drawn = curve(estimates, labels)
    return float(np.abs(drawn.caught - drawn.lost).max())


def ks_interval(estimates: Numbers, labels: Numbers, *, seed: int = 0, draws: int = 200) -> Interval:
    """Return KS with its confidence from a seeded bootstrap that redraws goods and bads each among themselves; the bounds include the value."""
    bads, goods = _parted(estimates, labels)
    dice = np.random.Generator(np.random.PCG64(seed))
    levels = np.unique(np.concatenate([bads, goods]))
    seen = np.empty(draws)
    for draw in range(draws):
        redrawn = [_redrawn(group, levels, dice) for group in (bads, goods)]
        seen[draw] = np.abs(redrawn[0] - redrawn[1]).max()
    value = ks(estimates, labels)
    low, high = np.quantile(seen, (0.025, 0.975))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _redrawn(group: Vector, levels: Vector, dice: np.random.Generator) -> Vector:
    """Return the cumulated shares of a group drawn again with replacement."""
    counts = np.bincount(np.searchsorted(levels, group), minlength=levels.size)
    cumulated: Vector = np.cumsum(dice.multinomial(group.size, counts / group.size)) / group.size
    return cumulated


def _parted(estimates: Numbers, labels: Numbers) -> tuple[Vector, Vector]:
    bad, given = is_bad(labels), vector(estimates)
    if given.shape != bad.shape:
        raise ValueError(f"{given.size} estimates for {bad.size} labels")
    if np.isnan(given).any():
        raise ValueError("an estimate is missing; leave those customers out on purpose, and say so")
    if not bad.any() or bad.all():
        raise ValueError(f"ranking needs goods and bads, not {int((~bad).sum())} goods and {int(bad.sum())} bads")
    return given[bad], given[~bad]


def _placements(these: Vector, others: Vector) -> Vector:
    """Return for each of these the share of the others below it, ties half."""
    others = np.sort(others)
    below, upto = np.searchsorted(others, these, side="left"), np.searchsorted(others, these, side="right")
    placed: Vector = (below + upto) / (2 * others.size)
    return placed


def _variance(placements: Vector) -> float:
    return float(placements.var(ddof=1) / placements.size) if placements.size > 1 else 0.0
