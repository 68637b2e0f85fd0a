"""What a forked child of the launcher does to become an instance: a session, a log, an environment and a path of its own, then the release's program.

Nothing of the launcher is left in it: no descriptor but the instance's lock, no module of ours, no signal disposition.
"""

import atexit
import gc
import importlib
import io
import os
import runpy
import signal
import site as pythons
import sys
import sysconfig
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ctl.backends.runtimes.local import logfiles, processes, wire
from ctl.backends.runtimes.local.processes import Process
from ctl.backends.runtimes.local.wire import Order

OURS = ("ctl", "reference_apps")
CANNOT_RUN = 127
BUFFERED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def library_paths() -> list[str]:
    """Return where Python's own and third-party modules are: a checkout that an editable install has added is not among them."""
    known = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    known |= {sysconfig.get_config_var("DESTSHARED"), *pythons.getsitepackages()}
    known |= {pythons.getusersitepackages()} if pythons.ENABLE_USER_SITE else set()
    return [each for each in sys.path if each in known or each.endswith(".zip")]


def instance(order: Order, lock: int, launcher: Process, libraries: Sequence[str]) -> None:
    """Turn this process into the instance and run it. Raises only what the release's Python module lets through."""
    os.setsid()
    _default_signals()
    log_from = logfiles.rotate(Path(order.log))
    _open_streams(order.log)
    _close_all_but(lock)
    _write_record(order, launcher, log_from)
    os.environ.clear()
    os.environ.update(order.environment)
    try:
        os.chdir(order.folder)
    except OSError as error:
        _give_up(f"cannot enter {order.folder}: {error.strerror}")
    _name_thread(order.id)
    if order.argv[:2] == ("python", "-m") and len(order.argv) > 2:
        _run_module(order, libraries)
    else:
        os.set_inheritable(lock, True)
        _run_program(order)


def _default_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _open_streams(log: str) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target, inheritable=True)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def _close_all_but(lock: int) -> None:
    os.closerange(3, lock)
    os.closerange(lock + 1, os.sysconf("SC_OPEN_MAX"))


def _write_record(order: Order, launcher: Process, log_from: int) -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    wire.write_record(Path(order.record), record(order, me, launcher, log_from))


def record(order: Order, process: Process, launcher: Process, log_from: int) -> wire.Record:
    """Return what is written down about a process that has just begun."""
    return wire.Record(
        id=order.id,
        generation=order.generation,
        pid=process.pid,
        started=process.started,
        boot=processes.boot(),
        launcher_pid=launcher.pid,
        launcher_started=launcher.started,
        port=order.port,
        began_at=time.time(),
        log_from=log_from,
    )


def _name_thread(name: str) -> None:
    """Show the instance in `top` and `ps -c`, which cut it to 15 letters."""
    Path("/proc/self/comm").write_text(name[:15])


def _run_module(order: Order, libraries: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.meta_path[:] = [each for each in sys.meta_path if not getattr(each, "__module__", "").startswith("__editable__")]
    sys.path[:] = [order.folder, *libraries]
    importlib.invalidate_caches()
    module, *rest = order.argv[2:]
    sys.argv, sys.orig_argv = ["-m", *rest], [sys.executable, *order.argv[1:]]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        _leave(_status(end.code))
    _leave(0)


def _status(code: object) -> int:
    """Return the exit status that Python itself makes of what SystemExit carries."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    os.write(2, f"{code}\n".encode())
    return 1


def _leave(status: int) -> NoReturn:
    """End as Python ends, except that nothing is torn down: that would copy every page which is shared with the launcher, only to throw it away."""
    vars(threading)["_shutdown"]()  # waits for threads that are no daemons; multiprocessing ends its children just so
    atexit._run_exitfuncs()
    for each in gc.get_objects():
        if type(each) in BUFFERED and not each.closed:
            with suppress(OSError, ValueError):
                each.flush()
    os._exit(status)


def _run_program(order: Order) -> NoReturn:
    name, *rest = order.argv
    program = sys.executable if name == "python" else name
    try:
        os.execvpe(program, [program, *rest], dict(order.environment))
    except OSError as error:
        _give_up(f"cannot run {name}: {error.strerror}")


def _give_up(why: str) -> NoReturn:
    os.write(2, f"{why}\n".encode())
    os._exit(CANNOT_RUN)
