"""A service starts fast and light: from nothing, and as a fork of a process that has its libraries loaded."""

import subprocess
import sys
from time import monotonic

from tests.kit.running import ROOT, SAMPLE, Launcher, free_port, wait_until

ZYGOTE = """
import os, runpy, sys
import aiohttp, httptools, prometheus_client, uvicorn, uvloop, uvicorn.lifespan.on, uvicorn.protocols.http.httptools_impl
from random import random
random()
for port in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        log = os.open(f"{port}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.environ.update(MSXF_PORT=port, MSXF_SERVICE="a", MSXF_INSTANCE=f"a-{port}")
        runpy.run_module("reference_apps.sample", run_name="__main__", alter_sys=True)
        os._exit(0)
    print(child, flush=True)
for _ in sys.argv[1:]:
    print(os.wait()[1], flush=True)
"""


def test_the_kit_loads_no_library_that_a_small_service_does_not_need() -> None:
    script = "import sys, ctl.kit.serving, ctl.kit.health, reference_apps.sample.app; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout.split())
    assert not {"fastapi", "starlette", "pydantic", "sqlmodel", "sqlalchemy", "aiohttp", "jinja2"} & loaded
    assert not [name for name in loaded if name.startswith("ctl.") and not name.startswith("ctl.kit")]


def test_a_cold_start_takes_no_second(launcher: Launcher) -> None:
    """Measured: 0.11 s; the best of three, because the machine may be busy."""
    took = []
    for _ in range(3):
        began = monotonic()
        launcher.start(*SAMPLE).wait_for("ready")
        took.append(monotonic() - began)
    assert min(took) < 1


def test_forks_of_a_loaded_process_are_services_of_their_own(launcher: Launcher) -> None:
    """Each has its own port, name and traces, drains on its own signal, and is ready in a moment (measured: 0.03 s)."""
    ports = [str(free_port()) for _ in range(3)]
    zygote = launcher.start("-c", ZYGOTE, *ports, MSXF_DEPENDS_ON="nobody", MSXF_CONFIG_SAMPLE_BUDGET_MS="100")
    instances = [type(zygote)(zygote.process, int(port), launcher.folder / f"{port}.log", zygote.errors) for port in ports]
    for instance in instances:
        instance.wait_for("ready")
    names = [instance.get("/").json["instance"] for instance in instances]
    assert names == [f"a-{port}" for port in ports]
    for instance in instances:
        assert instance.get("/work").status == 200
    traces = {line["trace"] for instance in instances for line in instance.lines() if "nobody" in line["message"]}
    assert len(traces - {""}) == len(ports)
    subprocess.run(["kill", "-TERM", *zygote.log.read_text().split()], check=True, timeout=5)
    assert zygote.exit_code() == 0
    assert zygote.log.read_text().split()[3:] == ["0", "0", "0"]
    for instance, name in zip(instances, names, strict=True):
        assert {line["instance"] for line in instance.lines()} == {name}


def test_an_idle_instance_does_not_wake_up(launcher: Launcher) -> None:
    instance = launcher.start(*SAMPLE).wait_for("ready")
    status = f"/proc/{instance.process.pid}/status"

    def switches() -> int:
        with open(status) as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))

    calm_since, last = monotonic(), switches()

    def is_calm() -> bool:
        nonlocal calm_since, last
        if switches() != last:
            calm_since, last = monotonic(), switches()
        return monotonic() - calm_since > 1

    wait_until(is_calm, within_s=5, what="a second without a wake-up")
