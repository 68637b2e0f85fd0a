"""The log: one JSON line an event on standard output, each with the trace it belongs to."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from ctl.kit import tracing
from ctl.kit.identity import Identity, config

LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
MOST_FRAMES = 8
LIBRARIES = ("/site-packages/", "/lib/python")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; what was given as `extra` stands beside the message."""

    def __init__(self, identity: Identity) -> None:
        super().__init__()
        self._own = {"service": identity.service, "release": identity.release, "instance": identity.instance}

    def format(self, record: logging.LogRecord) -> str:
        trace = tracing.current()
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": LEVELS.get(record.levelname, "info"),
            "logger": record.name,
            "message": record.getMessage().rstrip(),
            "trace": trace.trace_id if trace else "",
            **self._own,
        }
        line.update((key, value) for key, value in record.__dict__.items() if key not in STANDARD and key not in line)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = described(record.exc_info[1])
        return json.dumps(line, default=str)


class StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to what standard output is now, not to what it was when the log was set up."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class has an attribute; logging's own last-resort writer does the same
        return sys.stdout


def described(error: BaseException) -> dict[str, Any]:
    """Return an exception as type, message, place (the innermost line that is not a library's), the last steps to it, and what it came from."""
    steps = traceback.extract_tb(error.__traceback__)
    own = [step for step in steps if not any(library in step.filename for library in LIBRARIES)]
    place = _place((own or list(steps))[-1]) if steps else ""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    said = {"type": type(error).__name__, "message": str(error), "place": place, "stack": [_place(step) for step in steps[-MOST_FRAMES:]]}
    return said if cause is None else {**said, "cause": f"{type(cause).__name__}: {cause}"}


def logger(name: str) -> logging.Logger:
    """Return the logger of that name; the first call makes everything that is logged in this process a JSON line."""
    root = logging.getLogger()
    if not any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        handler = StandardOutput()
        handler.setFormatter(JsonLines(Identity.from_environ()))
        root.addHandler(handler)
        root.setLevel(config("log.level", "INFO").upper())
    return logging.getLogger(name)


def _place(step: traceback.FrameSummary) -> str:
    return f"{step.filename.rpartition(LIBRARIES[0])[2]}:{step.lineno} in {step.name}"
