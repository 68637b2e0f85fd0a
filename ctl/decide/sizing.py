"""How many instances each group should have: the arithmetic of rolling and canary releases. Pure integers.

Source: Kubernetes Deployment controller (rolling, proportional resize) and Argo Rollouts (canary counts); exact rules in docs/rollout-rules.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ctl.model.service import Share


@dataclass(frozen=True, slots=True)
class Size:
    """A group as arithmetic sees it: instances asked for, and how many of them are available."""

    release: str
    size: int
    available: int


def resolve(surge: Share, unavailable: Share, desired: int) -> tuple[int, int]:
    """Turn the policy's shares into numbers for `desired`; never both 0, unless nothing is desired."""
    if desired <= 0:
        return 0, 0
    more = -(-surge.value * desired // 100) if surge.percent else surge.value
    less = unavailable.value * desired // 100 if unavailable.percent else unavailable.value
    if more == 0 and less == 0:
        less = 1
    return more, min(less, desired)


def capped(surge: int, unavailable: int, desired: int, max_total: int | None) -> tuple[int, int]:
    """Shrink the surge so that desired + surge fits `max_total`; without any surge at least one may be unavailable."""
    if max_total is None or desired + surge <= max_total:
        return surge, unavailable
    room = max(0, max_total - desired)
    return room, unavailable if room or unavailable else min(1, desired)


def grown(target: int, total: int, desired: int, surge: int) -> int:
    """Return the target group's next size when growing within desired + surge; it falls only where it is above `desired`."""
    if target > desired:
        return desired
    return target + max(0, min(desired + surge - total, desired - target))


def shrunk(target: Size, olds: Sequence[Size], desired: int, unavailable: int) -> dict[str, int]:
    """Return how many instances to take from each old group (oldest group first in `olds`), unhealthy ones first; nothing when it is not safe yet."""
    least = desired - unavailable
    total = target.size + sum(old.size for old in olds)
    budget = total - least - (target.size - target.available)
    take: dict[str, int] = {}
    if budget <= 0:
        return take
    for old in olds:
        unhealthy = min(old.size - old.available, budget)
        if unhealthy > 0:
            take[old.release] = unhealthy
            budget -= unhealthy
    spare = target.available + sum(old.available for old in olds) - least
    for old in olds:
        more = min(old.size - take.get(old.release, 0), spare)
        if more > 0:
            take[old.release] = take.get(old.release, 0) + more
            spare -= more
    return take


def resized(sizes: Sequence[tuple[str, int]], desired: int, surge: int, last_allowed: int) -> dict[str, int]:
    """Spread a change of `desired` over the groups in proportion; `sizes` is (release, size), oldest first. What is left over lies on the first visited."""
    allowed = desired + surge if desired else 0
    add = allowed - sum(size for _, size in sizes)
    if add == 0 or last_allowed <= 0:
        return dict(sizes)
    age = {release: position for position, (release, _) in enumerate(sizes)}
    visit = sorted((row for row in sizes if row[1] > 0), key=lambda row: (-row[1], -age[row[0]] if add > 0 else age[row[0]]))
    result, left = dict(sizes), add
    for release, size in visit:
        share = _round_half_away(size * allowed, last_allowed) - size
        share = max(0, min(share, left)) if add > 0 else min(0, max(share, left))
        result[release] = size + share
        left -= share
    if left and visit:
        first = visit[0][0]
        result[first] = max(0, result[first] + left)
    return result


def canary_with_split(desired: int, weight: int, min_per_group: int = 1) -> int:
    """Return the canary's size where the gateway splits the traffic: enough for its share of the load. Weight 0 is 0."""
    if weight <= 0 or desired <= 0:
        return 0
    return max(-(-desired * weight // 100), min(min_per_group, desired))


def canary_without_split(desired: int, weight: int, surge: int) -> tuple[int, int]:
    """Return (canary, stable) counts that come nearest to `weight` of 100 where traffic follows the number of instances."""
    if desired <= 0:
        return 0, 0
    zero_allowed = weight in (0, 100) or (desired == 1 and surge == 0)
    totals = (desired, desired + 1) if surge > 0 else (desired,)
    candidates = [pair for total in totals for pair in _pairs(desired, weight, total, zero_allowed)]
    candidates = candidates or [(desired * weight // 100, desired - desired * weight // 100)]
    return min(candidates, key=lambda pair: abs(pair[0] * 100 - weight * (pair[0] + pair[1])) / (pair[0] + pair[1]))


def _pairs(desired: int, weight: int, total: int, zero_allowed: bool) -> list[tuple[int, int]]:
    up, down = -(-desired * weight // 100), desired * weight // 100
    tied = (total * weight % 100) * 2 == 100
    found = []
    if up < total or zero_allowed:
        found.append((up, total - up))
    if not tied and (down > 0 or zero_allowed):
        found.append((down, total - down))
    return found


def _round_half_away(number: int, by: int) -> int:
    return (2 * number + by) // (2 * by)
