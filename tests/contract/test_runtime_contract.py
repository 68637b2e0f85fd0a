"""What every Runtime must do; the same tests for instances in memory and for real processes."""

import re
from collections.abc import Iterator

import pytest

from ctl.backends.runtimes.local.runtime import LocalRuntime
from ctl.errors import NotFound
from ctl.model.finding import Asks, Finding
from ctl.model.fleet import InstancePhase
from tests.contract.stages import LocalStage, MemoryStage, Stage, local_runtime

STARTING, READY, UNREADY = InstancePhase.STARTING, InstancePhase.READY, InstancePhase.UNREADY
STANDBY, DRAINING = InstancePhase.STANDBY, InstancePhase.DRAINING


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    runtime = local_runtime(tmp_path_factory.mktemp("contract") / "home")
    yield runtime
    runtime.close(stop_instances=True, within_s=2)


@pytest.fixture(params=["memory", "local"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    service = re.sub(r"[^a-z0-9]+", "-", request.node.originalname.removeprefix("test_"))[:60].strip("-")
    if request.param == "memory":
        yield MemoryStage(service)
        return
    runtime: LocalRuntime = request.getfixturevalue("processes")
    stage = LocalStage(runtime, runtime.clock, service)
    yield stage
    for group in stage.groups:
        runtime.remove(service, group.release)


def test_a_service_that_nobody_asked_for_has_no_group(stage: Stage) -> None:
    assert stage.service not in stage.runtime.observe()


def test_ensure_returns_before_readiness_and_the_instances_become_ready(stage: Stage) -> None:
    release = stage.release(mode="slow")
    stage.runtime.ensure(release, 2)
    assert stage.phases == [STARTING, STARTING]
    first, second = stage.until_all(READY, 2)
    assert [first.id, second.id] == [f"{stage.service}-{release.id}-1", f"{stage.service}-{release.id}-2"]
    assert (first.service, first.release, first.generation, first.restarts, first.reason) == (stage.service, release.id, 1, 0, "")
    assert first.address != second.address
    assert first.created_at < first.since <= stage.clock.now()


def test_ensure_again_changes_nothing(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 2)
    before = stage.until_all(READY, 2)
    stage.runtime.ensure(release, 2)
    assert stage.instances == before


def test_ensure_grows_a_group_and_never_shrinks_it(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 1)
    stage.until_all(READY, 1)
    stage.runtime.ensure(release, 3)
    assert [group.desired for group in stage.groups] == [3]
    stage.runtime.ensure(release, 1)
    assert len(stage.until_all(READY, 3)) == 3
    assert [group.desired for group in stage.groups] == [3]


def test_each_release_is_a_group_of_its_own(stage: Stage) -> None:
    old, new = stage.release("1.0.0"), stage.release("1.1.0")
    stage.runtime.ensure(old, 1)
    stage.runtime.ensure(new, 2)
    assert [(group.service, group.release, len(group.instances)) for group in stage.groups] == [(stage.service, old.id, 1), (stage.service, new.id, 2)]


def test_an_observation_never_changes(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(), 1)
    seen = stage.runtime.observe()
    before = seen[stage.service]
    stage.until_all(READY, 1)
    assert seen[stage.service] is before
    assert before[0].instances[0].phase is STARTING


def test_a_drained_instance_leaves_the_size_at_once_and_is_gone_when_it_is_done(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 2)
    leaving, staying = stage.until_all(READY, 2)
    deadline = stage.deadline(10)
    stage.runtime.drain([leaving.id], deadline)
    group = stage.groups[0]
    assert group.desired == 1
    assert [(one.phase, one.drain_by) for one in group.instances if one.id == leaving.id] in ([(DRAINING, deadline)], [])
    stage.until(lambda: stage.instances == [staying], within_s=8)


def test_a_deaf_instance_is_killed_at_its_deadline(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(mode="deaf"), 1)
    (one,) = stage.until_all(READY, 1)
    deadline = stage.deadline(1)
    stage.runtime.drain([one.id], deadline)
    while stage.clock.now() < deadline:
        assert stage.phases == [DRAINING]
        stage.pass_by()
    stage.until(lambda: not stage.instances, within_s=2)


def test_draining_twice_keeps_the_first_deadline_and_unknown_ids_are_nothing(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(mode="deaf"), 1)
    (one,) = stage.until_all(READY, 1)
    first = stage.deadline(60)
    stage.runtime.drain([one.id], first)
    stage.runtime.drain([one.id, "nobody-1.0.0-0badcafe-1"], stage.deadline(0))
    assert [(one.phase, one.drain_by) for one in stage.instances] == [(DRAINING, first)]


def test_numbers_are_not_used_again_while_the_group_lives(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 1)
    (first,) = stage.until_all(READY, 1)
    stage.runtime.drain([first.id], stage.deadline(5))
    stage.until(lambda: not stage.instances)
    stage.runtime.ensure(release, 1)
    assert [one.id for one in stage.until_all(READY, 1)] == [f"{stage.service}-{release.id}-2"]


def test_an_empty_group_stays_until_it_is_removed(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 0)
    assert [(group.release, group.desired, group.instances) for group in stage.groups] == [(release.id, 0, ())]
    stage.runtime.remove(stage.service, release.id)
    assert stage.service not in stage.runtime.observe()


def test_remove_ends_what_is_left_at_once(stage: Stage) -> None:
    release = stage.release(mode="deaf")
    stage.runtime.ensure(release, 2)
    first, _ = stage.until_all(READY, 2)
    stage.runtime.drain([first.id], stage.deadline(60))
    stage.runtime.remove(stage.service, release.id)
    assert stage.groups == ()
    stage.runtime.remove(stage.service, release.id)


def test_a_removed_release_can_come_back(stage: Stage) -> None:
    release = stage.release()
    stage.runtime.ensure(release, 1)
    stage.until_all(READY, 1)
    stage.runtime.remove(stage.service, release.id)
    stage.runtime.ensure(release, 1)
    assert [(one.generation, one.restarts) for one in stage.until_all(READY, 1)] == [(1, 0)]


def test_a_killed_instance_starts_again_in_its_slot(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(), 1)
    (before,) = stage.until_all(READY, 1)
    stage.crash(before)
    stage.until(lambda: stage.phases == [READY] and stage.instances[0].restarts == 1)
    (after,) = stage.instances
    assert (after.id, after.address, after.generation) == (before.id, before.address, 2)
    assert after.created_at > before.created_at


def test_a_crashing_release_backs_off_and_says_why(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(mode="crash"), 1)
    stage.until(lambda: stage.instances[0].restarts == 2)
    began = stage.clock.now()
    stage.until(lambda: stage.phases == [UNREADY] and stage.instances[0].reason.startswith("exit status 1 after 0."))
    stage.until(lambda: stage.instances[0].restarts == 3)
    assert (stage.clock.now() - began).total_seconds() > 1
    assert READY not in stage.phases


def test_an_instance_that_never_gets_ready_stays_starting(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(mode="never"), 1)
    end = stage.deadline(1.5)
    while stage.clock.now() < end:
        assert stage.phases == [STARTING]
        stage.pass_by()
    assert stage.instances[0].restarts == 0


def test_a_standby_takes_over_when_the_writer_is_gone(stage: Stage) -> None:
    old, new = stage.release("1.0.0", mode="writer"), stage.release("1.1.0", mode="writer")
    stage.runtime.ensure(old, 1)
    (writer,) = stage.until_all(READY, 1)
    stage.runtime.ensure(new, 1)
    stage.until(lambda: stage.phases == [READY, STANDBY])
    assert stage.instances[1].reason
    stage.runtime.drain([writer.id], stage.deadline(10))
    heir = stage.until_all(READY, 1)[0]
    assert (heir.release, heir.restarts) == (new.id, 0)


def test_a_drained_instance_does_not_come_back(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(mode="crash", after_s=0.1), 1)
    stage.until(lambda: stage.instances[0].restarts >= 1)
    stage.runtime.drain([stage.instances[0].id], stage.deadline(5))
    stage.until(lambda: not stage.instances)
    end = stage.deadline(1)
    while stage.clock.now() < end:
        assert stage.instances == []
        stage.pass_by()


def test_logs_are_the_last_lines_oldest_first_also_of_a_gone_instance(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(), 1)
    (one,) = stage.until_all(READY, 1)
    lines = stage.runtime.logs(one.id, 100)
    assert lines
    stage.runtime.drain([one.id], stage.deadline(5))
    stage.until(lambda: not stage.instances)
    later = stage.runtime.logs(one.id, 100)
    assert len(later) > len(lines)
    assert list(later[: len(lines)]) == list(lines)
    assert list(stage.runtime.logs(one.id, 1)) == [later[-1]]
    assert list(stage.runtime.logs(one.id, 0)) == []


@pytest.mark.parametrize("name", ["nobody-1.0.0-0badcafe-1", "../run/runtime", "/etc/passwd", ""])
def test_logs_of_an_instance_that_never_was_are_not_found(stage: Stage, name: str) -> None:
    with pytest.raises(NotFound):
        stage.runtime.logs(name, 10)


def test_whoever_asked_is_woken_by_every_change_of_a_phase(stage: Stage) -> None:
    woken: list[str] = []
    stage.runtime.on_change(woken.append)
    stage.runtime.ensure(stage.release(mode="slow"), 1)
    assert stage.service in woken
    woken.clear()
    stage.until_all(READY, 1)
    assert stage.service in woken



def test_what_an_instance_finds_is_seen_and_gone_with_its_process(stage: Stage) -> None:
    stage.runtime.ensure(stage.release(), 1)
    (one,) = stage.until_all(READY, 1)
    assert one.findings is None, "it has not said anything yet"
    found = (Finding(kind="drift", subject="scorecard x thin x cash", asks=Asks.ACT, n=1204, said="it has drifted: PSI 0.41"),)
    woken: list[str] = []
    stage.runtime.on_change(woken.append)
    for said in (found, ()):
        stage.finds(one, said)
        stage.until(lambda said=said: stage.instances[0].findings == said)
    assert stage.service in woken
    stage.finds(one, found)
    stage.until(lambda: stage.instances[0].findings == found)
    stage.crash(one)
    stage.until(lambda: stage.phases == [READY] and stage.instances[0].generation == 2)
    assert stage.instances[0].findings is None
