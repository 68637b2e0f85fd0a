"""What every Artifacts must do, over every backend."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from ctl.backends.artifacts.content import sha256
from ctl.backends.artifacts.folder import FolderArtifacts
from ctl.backends.artifacts.memory import MemoryArtifacts
from ctl.backends.artifacts.packing import Limits
from ctl.backends.clock import ManualClock
from ctl.errors import BadInput, DigestMismatch, NotFound, Refused
from ctl.model.release import Artifact
from ctl.model.service import ArtifactSource
from ctl.ports import Artifacts

SOURCE = ArtifactSource(include=("kit", "apps/risk"), command=("python", "-m", "apps.risk"))
LIMITS = Limits(files=20, file_bytes=10_000, total_bytes=30_000)
UNKNOWN = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Case:
    """A backend, a project to build from, and a way to damage what was stored."""

    artifacts: Artifacts
    clock: ManualClock
    root: Path
    spoil: Callable[[str], None]

    def put(self, version: str = "1.0.0", service: str = "risk", source: ArtifactSource = SOURCE) -> Artifact:
        return self.artifacts.put(source, self.root, service, version)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for path, text in {
        "kit/__init__.py": "",
        "kit/serve.py": "import os\nimport yaml\nfrom kit import log\nPORT = 1\n",
        "kit/log.py": "def say():\n    from pydantic import BaseModel\n    return BaseModel\n",
        "apps/risk/__main__.py": "import kit.serve\nimport not_installed_anywhere\n",
        "apps/fraud/__main__.py": "print('fraud')\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(params=["memory", "folder"])
def case(request: pytest.FixtureRequest, tmp_path: Path, project: Path) -> Case:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    if request.param == "memory":
        held = MemoryArtifacts(clock, limits=LIMITS)
        return Case(held, clock, project, held.spoil)
    stored = FolderArtifacts(tmp_path / "artifacts", clock, limits=LIMITS)

    def spoil(digest: str) -> None:
        first = next(file for file in stored.resolve("risk", "1.0.0").files if file.size)
        blob = tmp_path / "artifacts" / "files" / first.sha256[:2] / first.sha256
        blob.chmod(0o600)
        blob.write_bytes(b"#" * first.size)

    return Case(stored, clock, project, spoil)


# --- building ---


def test_an_artifact_names_its_files_its_command_and_what_it_imports(case: Case) -> None:
    built = case.put()
    assert [file.path for file in built.files] == ["apps/risk/__main__.py", "kit/__init__.py", "kit/log.py", "kit/serve.py"]
    serve = built.files[-1]
    assert (serve.sha256, serve.size, serve.mode) == (sha256((case.root / "kit/serve.py").read_bytes()), 51, 0o644)
    assert (built.service, built.version, built.command, built.built_at) == ("risk", "1.0.0", SOURCE.command, case.clock.now())
    assert built.dependencies == (f"pydantic=={metadata.version('pydantic')}", f"pyyaml=={metadata.version('pyyaml')}")
    assert built.digest.startswith("sha256:")
    assert len(built.digest) == 71


def test_the_same_content_again_is_the_same_artifact(case: Case) -> None:
    first = case.put()
    case.clock.advance(60)
    os.utime(case.root / "kit/log.py", (1, 1))
    (case.root / "kit/log.py").chmod(0o600)
    assert case.put() == first, "neither times nor who may read are content"
    assert case.put(service="fraud").digest == first.digest, "nor is the service"


@pytest.mark.parametrize("change", ["bytes", "name", "more", "less", "executable", "command"])
def test_other_content_has_another_digest(case: Case, change: str) -> None:
    first, log, source = case.put(), case.root / "kit/log.py", SOURCE
    match change:
        case "bytes":
            log.write_text(log.read_text().replace("return", "yield "))
        case "name":
            log.rename(case.root / "kit/logs.py")
        case "more":
            (case.root / "kit/new.txt").touch()
        case "less":
            log.unlink()
        case "executable":
            log.chmod(0o755)
        case "command":
            source = replace(SOURCE, command=("python", "-m", "apps.other"))
    assert case.put("1.0.1", source=source).digest != first.digest


def test_a_version_never_changes(case: Case) -> None:
    first = case.put()
    (case.root / "kit/log.py").write_text("changed\n")
    with pytest.raises(Refused, match="exists with other content"):
        case.put()
    assert case.artifacts.resolve("risk", "1.0.0") == first
    assert [one.version for one in case.artifacts.versions("risk")] == ["1.0.0"]
    case.artifacts.verify(first.digest)


def test_what_is_made_and_not_written_is_left_out(case: Case) -> None:
    clean = case.put().digest
    for path in ("kit/__pycache__/log.cpython-311.pyc", "kit/.git/HEAD", "kit/old.pyc"):
        (case.root / path).parent.mkdir(exist_ok=True)
        (case.root / path).write_text("x")
    assert case.put("1.0.1").digest == clean


@pytest.mark.parametrize("include", ["../outside", "/etc/hostname", "kit/../../outside", "kit/link.py", "linked", "linked/serve.py", "links"])
def test_nothing_outside_the_project_is_packed(case: Case, include: str) -> None:
    outside = case.root.parent / "outside"
    outside.mkdir()
    (outside / "serve.py").write_text("secret\n")
    (case.root / "kit/link.py").symlink_to(outside / "serve.py")
    (case.root / "linked").symlink_to(outside)
    (case.root / "links").mkdir()
    (case.root / "links/deep").symlink_to(outside)
    with pytest.raises(BadInput) as raised:
        case.put(source=replace(SOURCE, include=(include,)))
    assert raised.value.remedy
    with pytest.raises(NotFound):
        case.artifacts.resolve("risk", "1.0.0")


def test_what_is_no_file_is_not_packed(case: Case) -> None:
    os.mkfifo(case.root / "kit/pipe")
    with pytest.raises(BadInput, match="pipe is no ordinary file"):
        case.put()


def test_an_include_that_is_not_there_is_named(case: Case) -> None:
    with pytest.raises(BadInput, match="there is no apps/nothing"):
        case.put(source=replace(SOURCE, include=("kit", "apps/nothing")))


def test_an_artifact_has_at_least_one_file(case: Case) -> None:
    (case.root / "empty").mkdir()
    with pytest.raises(BadInput, match="there is no file in empty"):
        case.put(source=replace(SOURCE, include=("empty",)))


@pytest.mark.parametrize(("count", "size", "said"), [(1, 10_001, "data-0 is too large"), (4, 9_000, "it is too large"), (21, 1, "more than 20 files")])
def test_an_artifact_has_a_largest_size(case: Case, count: int, size: int, said: str) -> None:
    (case.root / "data").mkdir()
    for number in range(count):
        (case.root / "data" / f"data-{number}").write_bytes(b"x" * size)
    with pytest.raises(BadInput, match=said):
        case.put(source=replace(SOURCE, include=("data",)))


@pytest.mark.parametrize(("service", "version"), [("../risk", "1"), ("risk", "../1"), ("risk", ""), (".risk", "1"), ("a/b", "1")])
def test_names_are_never_paths(case: Case, service: str, version: str) -> None:
    with pytest.raises(BadInput, match="cannot be the"):
        case.put(version, service)
    with pytest.raises(NotFound):
        case.artifacts.resolve(service, version)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_where_the_source_came_from(case: Case) -> None:
    assert case.put().commit == ""
    git = ["git", "-C", str(case.root), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "kit"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True, timeout=30)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    built = case.put("1.0.1")
    assert built.commit == head
    assert built.digest == case.artifacts.resolve("risk", "1.0.0").digest, "the commit is no part of the content"


# --- finding ---


def test_a_version_that_was_never_built_is_not_found_and_says_how_to_build_it(case: Case) -> None:
    with pytest.raises(NotFound) as raised:
        case.artifacts.resolve("risk", "2.0.0")
    assert raised.value.found == "nothing has been built"
    case.put()
    with pytest.raises(NotFound) as raised:
        case.artifacts.resolve("risk", "2.0.0")
    assert raised.value.found == "built: 1.0.0"
    assert raised.value.remedy == "msxfctl build risk --version 2.0.0"


def test_versions_come_newest_first(case: Case) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        case.put(version)
        case.clock.advance(1)
    assert [one.version for one in case.artifacts.versions("risk")] == ["1.2.0", "1.10.0", "1.9.0"]
    assert case.artifacts.versions("risk")[0] == case.artifacts.resolve("risk", "1.2.0")
    assert list(case.artifacts.versions("nobody")) == []


@pytest.mark.parametrize("digest", [UNKNOWN, "sha256:../../x", "", "md5:0"])
def test_an_unknown_digest_is_not_found(case: Case, tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound):
        case.artifacts.fetch(digest, tmp_path / "to")
    with pytest.raises(NotFound):
        case.artifacts.verify(digest)
    assert not (tmp_path / "to").exists()


# --- unpacking ---


def test_what_is_unpacked_is_what_was_packed(case: Case, tmp_path: Path) -> None:
    (case.root / "kit/run.sh").write_text("#!/bin/sh\n")
    (case.root / "kit/run.sh").chmod(0o755)
    built, to = case.put(), tmp_path / "deep" / "unpacked"
    case.artifacts.fetch(built.digest, to)
    for file in built.files:
        assert (to / file.path).read_bytes() == (case.root / file.path).read_bytes()
    assert os.access(to / "kit/run.sh", os.X_OK)
    assert not os.access(to / "kit/log.py", os.X_OK)
    assert [path.name for path in to.parent.iterdir()] == ["unpacked"], "no draft is left"


def test_what_is_unpacked_already_is_left_alone(case: Case, tmp_path: Path) -> None:
    built, to = case.put(), tmp_path / "unpacked"
    case.artifacts.fetch(built.digest, to)
    (to / "mark").touch()
    case.artifacts.fetch(built.digest, to)
    assert (to / "mark").exists()


def test_unpacked_code_runs_and_knows_where_it_is(case: Case, tmp_path: Path) -> None:
    (case.root / "kit/where.py").write_text("def here():\n    return here.__code__.co_filename\nif __name__ == '__main__':\n    print(here())\n")
    built, to = case.put(), tmp_path / "unpacked"
    case.artifacts.fetch(built.digest, to)
    code = "from kit import where; print(where.__cached__, where.here())"
    done = subprocess.run([sys.executable, "-c", code], cwd=to, env={"PYTHONPATH": str(to)}, capture_output=True, text=True, check=True, timeout=60)
    cached, place = done.stdout.split()
    assert Path(cached).exists(), "it is compiled, so that a hundred instances need not be"
    assert place == str(to / "kit/where.py")


def test_code_that_cannot_be_compiled_is_unpacked_all_the_same(case: Case, tmp_path: Path) -> None:
    (case.root / "kit/broken.py").write_text("def (\n")
    case.artifacts.fetch(case.put().digest, tmp_path / "unpacked")
    assert (tmp_path / "unpacked/kit/broken.py").exists()


# --- damage ---


def test_damaged_content_is_refused_and_leaves_nothing_behind(case: Case, tmp_path: Path) -> None:
    built = case.put()
    case.artifacts.verify(built.digest)
    case.spoil(built.digest)
    with pytest.raises(DigestMismatch, match="does not match its digest"):
        case.artifacts.verify(built.digest)
    with pytest.raises(DigestMismatch):
        case.artifacts.fetch(built.digest, tmp_path / "to" / "unpacked")
    assert list((tmp_path / "to").iterdir()) == []


def test_building_the_same_source_again_mends_it(case: Case, tmp_path: Path) -> None:
    built = case.put()
    case.spoil(built.digest)
    assert case.put() == built
    case.artifacts.verify(built.digest)
    case.artifacts.fetch(built.digest, tmp_path / "unpacked")
