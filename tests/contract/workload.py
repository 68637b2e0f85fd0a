"""An instance for tests that needs the standard library only: MSXF_CONFIG_MODE says how it behaves. It runs from an artifact, so it imports nothing of ours."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

MODE = os.environ.get("MSXF_CONFIG_MODE", "good")
FOLDER = Path(os.environ["MSXF_DATA_DIR"])
BORN = time.monotonic()
STATE = {"said": "ready", "silent": False, "writes": not MODE.startswith("writer")}
IN_FLIGHT = threading.Semaphore(0)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0" if MODE == "old" else "HTTP/1.1"

    def do_GET(self) -> None:
        if STATE["silent"]:
            time.sleep(3600)
        if self.path == "/readyz":
            self.say(*readiness())
        elif self.path == "/hold":
            (FOLDER / "held").touch()
            wait_for(FOLDER / "go")
            self.say(200, {"held": True})
        elif self.path == "/silence":
            STATE["silent"] = True
            self.say(200, {})
        elif self.path.startswith("/say/"):
            STATE["said"] = self.path.removeprefix("/say/")
            self.say(200, {})
        elif self.path == "/about":
            about = {"argv": sys.argv, "path": sys.path, "cwd": os.getcwd(), "environment": dict(os.environ), "modules": sorted(sys.modules)}
            self.say(200, {**about, "pid": os.getpid(), "main": __name__, "descriptors": sorted(os.listdir("/proc/self/fd"))})
        else:
            self.say(200, {"alive": True})

    def say(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        if MODE != "old":
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def readiness() -> tuple[int, object]:
    if MODE == "never" or (MODE == "slow" and time.monotonic() - BORN < 1):
        return 503, {"state": "starting", "reason": "not yet"}
    if not STATE["writes"]:
        return 503, {"state": "standby", "reason": "another holds the lock"}
    if STATE["said"].startswith("found="):
        return 200, {"state": "ready", "findings": json.loads(unquote(STATE["said"].removeprefix("found=")))}
    if STATE["said"] == "ready":
        return 200, {"state": "ready"}
    return (500, {}) if STATE["said"] == "500" else (503, {"state": STATE["said"], "reason": f"was told to be {STATE['said']}"})


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def write() -> None:
    lock = os.open(FOLDER / "writer.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    STATE["writes"] = True


def leave(server: ThreadingHTTPServer) -> None:
    if MODE != "deaf":
        print("told to go", flush=True)
        threading.Thread(target=server.shutdown).start()


def main() -> None:
    print(f"begins as {os.environ['MSXF_INSTANCE']}", flush=True)
    if MODE == "crash":
        time.sleep(float(os.environ.get("MSXF_CONFIG_AFTER_S", "0.2")))
        sys.exit("the table of rates is missing")
    if MODE == "family":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], close_fds=False)
    ThreadingHTTPServer.daemon_threads = False
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["MSXF_PORT"])), Answers)
    signal.signal(signal.SIGTERM, lambda *_: leave(server))
    if MODE.startswith("writer"):
        threading.Thread(target=write, daemon=True).start()
    server.serve_forever(poll_interval=0.02)
    server.server_close()
    print("goes", flush=True)


if __name__ == "__main__":
    main()
