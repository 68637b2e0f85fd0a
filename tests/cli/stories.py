"""Stories of one rollout of risk that several tests play: it goes well, it is taken back, it waits for a person."""

from typing import Any

from tests.cli.memory_plane import Frame, group, measurement, rollout, service

OLD, NEW = "1.4.2-9b1c3fa2", "1.5.0-51ab77c0"
HARM = "error rate of 1.5.0 was 18.2 % (limit 1 %) against 0.0 % of 1.4.2, in 3 of 3 windows of 10 s"


def begun() -> Frame:
    return rollout(phase="preparing"), service("risk", state="rolling")


def halfway(**changes: Any) -> Frame:
    waiting = "the third 1.5.0 instance has been ready for 3 of 5 s"
    known = {"took_s": 9.4, "waiting": waiting, "measurements": [measurement(0, 4812)], **changes}
    groups = [group("risk", OLD, ["ready", "ready", "draining"], weight_pct=50), group("risk", NEW, ["ready", "ready"], role="target", weight_pct=50)]
    return rollout(**known), service("risk", state="rolling", groups=groups)


def live() -> Frame:
    return rollout(phase="certified", measurements=[measurement(0, 4812)]), service("risk", version="1.5.0", groups=[group("risk", NEW, ["ready"] * 3)])


def aborting() -> Frame:
    return halfway(phase="aborting", took_s=31.0, abort_why=HARM, measurements=[measurement(214, 9340, "harm")])


def taken_back() -> Frame:
    return rollout(phase="rolled_back", took_s=34.0, abort_why=HARM, measurements=[measurement(214, 9340, "harm")]), service("risk")


def paused() -> Frame:
    return halfway(phase="paused", strategy="canary", steps=4, step=1, paused_why="a person decides at 25 %")


GOOD = (begun, halfway, live)
BAD = (begun, halfway, aborting, taken_back)


def play(*acts: Any) -> list[Frame]:
    return [act() for act in acts]
