"""The log: every record one line of JSON, whatever is in it."""

import contextvars
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctl.kit import log, tracing
from ctl.kit.identity import Identity
from ctl.kit.log import JsonLines

IDENTITY = Identity.from_environ({"MSXF_SERVICE": "risk", "MSXF_RELEASE": "2-ab", "MSXF_INSTANCE": "risk-2-ab-1"})


def line(message: str, *args: object, level: int = logging.INFO, error: BaseException | None = None, **extra: object) -> dict[str, Any]:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.getLogger("risk.limits").makeRecord("risk.limits", level, "x.py", 7, message, args, exc_info, extra=extra or None)
    text = JsonLines(IDENTITY).format(record)
    assert "\n" not in text
    return dict(json.loads(text))


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:], root.level = handlers, level


def test_a_line_says_when_who_and_what() -> None:
    found = line("limit of %s is %d", "John", 300)
    at = datetime.fromisoformat(found.pop("at"))
    assert at.utcoffset() == timedelta(0)
    assert found == {
        "level": "info",
        "logger": "risk.limits",
        "message": "limit of John is 300",
        "trace": "",
        "service": "risk",
        "release": "2-ab",
        "instance": "risk-2-ab-1",
    }


def test_a_line_in_a_request_has_its_trace() -> None:
    def story() -> tuple[str, str]:
        trace = tracing.enter([]).trace
        return trace.trace_id, str(line("x")["trace"])

    expected, found = contextvars.Context().run(story)
    assert expected == found != ""


def test_extras_stand_beside_the_message_and_never_in_place_of_it() -> None:
    found = line("posted", transfer=7, service="other", trace="mine", odd={1, 2})
    assert found["transfer"] == 7
    assert (found["service"], found["trace"]) == ("risk", "")
    assert isinstance(found["odd"], str)


def test_an_error_is_type_message_place_and_cause() -> None:
    try:
        try:
            json.loads("{")
        except ValueError as error:
            raise RuntimeError("the table is broken") from error
    except RuntimeError as error:
        found = line("failed", level=logging.ERROR, error=error)["error"]
    assert (found["type"], found["message"]) == ("RuntimeError", "the table is broken")
    assert found["place"].startswith(__file__)
    assert found["place"].endswith("in test_an_error_is_type_message_place_and_cause")
    assert found["cause"].startswith("JSONDecodeError: ")


def test_the_place_is_our_line_and_not_the_librarys() -> None:
    with pytest.raises(ValueError) as caught:
        json.loads("{")
    found = log.described(caught.value)
    assert found["place"].startswith(__file__)
    assert "json/decoder.py" in found["stack"][-1]


def test_levels_are_the_four_that_can_be_asked_for() -> None:
    assert [line("x", level=level)["level"] for level in (10, 20, 30, 40, 50, 5)] == ["debug", "info", "warning", "error", "error", "info"]


@settings(deadline=None, max_examples=100)
@given(st.text(), st.dictionaries(st.text(min_size=1).filter(lambda key: key not in log.STANDARD), st.recursive(st.none() | st.text() | st.floats(), st.lists)))
def test_anything_can_be_logged(message: str, extra: dict[str, Any]) -> None:
    assert line(message, **extra)["message"] == message.rstrip()


def test_the_first_logger_sets_up_the_process_and_the_second_does_not_again(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSXF_SERVICE", "risk")
    monkeypatch.setenv("MSXF_CONFIG_LOG_LEVEL", "warning")
    log.logger("one").warning("heard")
    log.logger("two").info("not heard")
    logging.getLogger("of.a.library").error("heard too")
    assert [json.loads(text)["message"] for text in capsys.readouterr().out.splitlines()] == ["heard", "heard too"]
    assert sum(isinstance(handler.formatter, JsonLines) for handler in root.handlers) == 1
