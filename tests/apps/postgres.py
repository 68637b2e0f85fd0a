"""A PostgreSQL server of our own for tests: a fresh cluster behind a Unix socket, ended with the test run."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

START_S = 30.0
HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@dataclass
class Server:
    """A running cluster; `stop` and `start` are a server that dies and comes back."""

    programs: Path
    folder: Path
    databases: int = 0

    def new_database(self) -> str:
        """Return the connection text of a fresh, empty database."""
        self.databases += 1
        name = f"ledger{self.databases}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"host={self.folder} dbname={name} user=postgres"

    def sql(self, database: str, statement: str) -> None:
        import psycopg

        with psycopg.connect(f"host={self.folder} dbname={database} user=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        self._control(
            "start", "-w", "-t", str(int(START_S)), "-l", str(self.folder / "log"), "-o", f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        )

    def stop(self, mode: str = "immediate") -> None:
        self._control("stop", "-m", mode, "-w")

    def _control(self, verb: str, *options: str) -> None:
        _run([str(self.programs / "pg_ctl"), verb, "-D", str(self.folder / "data"), *options])


def programs() -> Path | None:
    """Return the folder with the server's programs, None where it is not installed."""
    found = shutil.which("pg_ctl")
    homes = [home for home in HOMES if (home / "pg_ctl").exists()]
    return homes[0] if homes else Path(found).resolve().parent if found else None


@contextmanager
def server() -> Iterator[Server]:
    """Run a cluster. Skips the test where there is no PostgreSQL, but not in CI, which installs it."""
    home = programs()
    if home is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed; CI installs it")
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        running = Server(home, folder)
        _run([str(home / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync"])
        running.start()
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    """Run as the user postgres when we are root: the server refuses to be root's."""
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S + 30, cwd="/", check=False, stdin=subprocess.DEVNULL, **user)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed after {time.monotonic() - begun:.1f} s: {done.stdout}{done.stderr}")
