"""What only a store on disk can get wrong: damage of every part, several processes at once, a full or forbidden folder, a fleet of builds."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctl.backends.artifacts.folder import FolderArtifacts
from ctl.backends.clock import ManualClock
from ctl.errors import BackendError, BadInput, CtlError, DigestMismatch, Refused
from ctl.model.release import Artifact
from ctl.model.service import ArtifactSource

SOURCE = ArtifactSource(include=("app",), command=("python", "-m", "app"))
CLOCK = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
TOGETHER = 8


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "app").mkdir(parents=True)
    (folder / "app/__init__.py").write_text("import json\n")
    (folder / "app/__main__.py").write_text("print('app')\n")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def opened(store: Path) -> FolderArtifacts:
    return FolderArtifacts(store, CLOCK)


def at_once(work: Callable[[int], Artifact | None]) -> list[Artifact | CtlError | None]:
    """Run `work` in several threads that begin at the same moment."""
    gate = threading.Barrier(TOGETHER)

    def one(number: int) -> Artifact | CtlError | None:
        gate.wait(timeout=30)
        try:
            return work(number)
        except CtlError as error:
            return error

    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(one, range(TOGETHER)))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_another_process_finds_what_was_built(store: Path, root: Path) -> None:
    built = opened(store).put(SOURCE, root, "risk", "1.0.0")
    assert opened(store).resolve("risk", "1.0.0") == built
    opened(store).verify(built.digest)


def test_the_digest_is_that_of_the_canonical_list(store: Path, root: Path) -> None:
    built = opened(store).put(SOURCE, root, "risk", "1.0.0")
    [listed] = (store / "contents").iterdir()
    assert built.digest == f"sha256:{listed.stem}"
    assert json.loads(listed.read_text()).keys() == {"files", "command", "dependencies"}


@pytest.mark.parametrize("harm", ["changed", "shorter", "gone", "list"])
def test_damage_of_any_part_is_found(store: Path, root: Path, tmp_path: Path, harm: str) -> None:
    built = opened(store).put(SOURCE, root, "risk", "1.0.0")
    victim = store / "files" / built.files[1].sha256[:2] / built.files[1].sha256
    if harm == "list":
        [victim] = (store / "contents").iterdir()
    victim.chmod(0o600)
    content = victim.read_bytes()
    match harm:
        case "gone":
            victim.unlink()
        case "shorter":
            victim.write_bytes(content[:-1])
        case _:
            victim.write_bytes(content.replace(b"app", b"apq"))
    for check in (lambda: opened(store).verify(built.digest), lambda: opened(store).fetch(built.digest, tmp_path / "to")):
        with pytest.raises(DigestMismatch):
            check()
    assert not (tmp_path / "to").exists()
    assert opened(store).put(SOURCE, root, "risk", "1.0.0") == built, "building the same again mends it"
    opened(store).verify(built.digest)


def test_what_is_stored_is_read_only(store: Path, root: Path) -> None:
    opened(store).put(SOURCE, root, "risk", "1.0.0")
    assert {file.stat().st_mode & 0o777 for file in files(store)} == {0o444}


def test_one_version_built_by_many_at_once_is_one_artifact(store: Path, root: Path) -> None:
    built = at_once(lambda _: opened(store).put(SOURCE, root, "risk", "1.0.0"))
    assert len({artifact.digest for artifact in built if isinstance(artifact, Artifact)}) == 1
    assert all(isinstance(artifact, Artifact) for artifact in built), built
    assert not [file for file in files(store) if file.name.startswith(".")], "no draft is left"


def test_of_many_contents_for_one_version_one_wins(store: Path, tmp_path: Path) -> None:
    def build(number: int) -> Artifact:
        mine = tmp_path / f"project-{number}"
        (mine / "app").mkdir(parents=True)
        (mine / "app/__main__.py").write_text(f"print({number})\n")
        return opened(store).put(SOURCE, mine, "risk", "1.0.0")

    built = at_once(build)
    [winner] = [artifact for artifact in built if isinstance(artifact, Artifact)]
    assert sum(isinstance(error, Refused) for error in built) == TOGETHER - 1
    assert opened(store).resolve("risk", "1.0.0") == winner


def test_many_may_unpack_to_one_place_at_once(store: Path, root: Path, tmp_path: Path) -> None:
    built, to = opened(store).put(SOURCE, root, "risk", "1.0.0"), tmp_path / "unpacked" / "one"
    assert at_once(lambda _: opened(store).fetch(built.digest, to)) == [None] * TOGETHER
    assert (to / "app/__main__.py").read_text() == "print('app')\n"
    assert list(to.parent.iterdir()) == [to]


def test_what_a_killed_build_left_behind_is_no_version(store: Path, root: Path) -> None:
    opened(store).put(SOURCE, root, "risk", "1.0.0")
    (store / "versions/risk/.draft-x.json").write_text("{")
    assert [one.version for one in opened(store).versions("risk")] == ["1.0.0"]


def test_a_file_that_changes_at_once_after_a_build_is_seen(store: Path, root: Path) -> None:
    artifacts = opened(store)
    first = artifacts.put(SOURCE, root, "risk", "1.0.0")
    for number in range(20):
        (root / "app/__main__.py").write_text(f"print('{number:03}')\n")
        assert artifacts.put(SOURCE, root, "risk", f"1.1.{number}").digest != first.digest
    digests = {one.digest for one in artifacts.versions("risk")}
    assert len(digests) == 21


def test_a_store_that_cannot_be_written_is_a_backend_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no folder")
    with pytest.raises(BackendError, match="could not build risk") as raised:
        opened(tmp_path / "plain" / "artifacts").put(SOURCE, root, "risk", "1.0.0")
    assert raised.value.remedy


def test_an_unreadable_name_is_bad_input(store: Path, root: Path) -> None:
    with open(bytes(root / "app") + b"/\xff", "wb"):
        pass
    with pytest.raises(BadInput, match="not UTF-8"):
        opened(store).put(SOURCE, root, "risk", "1.0.0")


def test_a_fleet_shares_its_code_and_is_built_in_seconds(store: Path, root: Path) -> None:
    for number in range(40):
        (root / f"app/part_{number}.py").write_text(f"import json\nNUMBER = {number}\n" * 200)
    artifacts = opened(store)
    began = time.monotonic()
    digests = {artifacts.put(SOURCE, root, f"service-{number}", "1.0.0").digest for number in range(312)}
    took_s = time.monotonic() - began
    assert len(digests) == 1
    assert len(files(store / "files")) == 42, "every file's bytes are there once"
    assert took_s < 30, "the goal is 10 s; a busy machine gets some leave"
