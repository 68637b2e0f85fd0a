"""What a ready instance lets its probes see."""

from ctl.kit import health
from ctl.kit.life import Life


def test_a_note_stands_beside_ready_and_nothing_follows_from_it() -> None:
    life = Life()
    life.open()
    health.note("a model has drifted", part="models")
    health.note("the table is a week old", part="table")
    assert life.readiness() == (200, {"state": "ready", "note": "a model has drifted; the table is a week old"})
    health.note("", part="models")
    health.note("", part="table")
    assert life.readiness() == (200, {"state": "ready"})
