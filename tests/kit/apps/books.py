"""A single writer: what is posted goes into a book that is opened when the lock is held; a second open book would be found out."""

import os
from pathlib import Path
from typing import Any

from ctl.kit import serving, writer
from ctl.kit.identity import Identity

identity = Identity.from_environ()
folder = identity.data_dir
opened: list[Any] = []


async def start() -> None:
    (folder / "open").touch(exist_ok=bool(os.environ.get("AFTER_A_CRASH")))
    opened.append((folder / "book").open("a"))
    with Path(folder / "epochs").open("a") as epochs:
        epochs.write(f"{writer.epoch()}\n")


async def stop() -> None:
    opened.pop().close()
    (folder / "open").unlink()


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    name = (await receive())["body"].decode()
    opened[0].write(f"{name}\n")
    opened[0].flush()
    content = identity.instance.encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(content)).encode())]})
    await send({"type": "http.response.body", "body": content})


serving.serve(app, single_writer=True, on_start=start, on_stop=stop)
