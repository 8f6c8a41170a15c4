"""Log lines: fields that scripts can read, written off the loop, bounded."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from proxy.config.models import Log
from proxy.observability.logs import (
    ConsoleFormatter,
    JSONFormatter,
    Logging,
    LossyHandler,
    configure,
    dropped_lines,
)
from proxy.runtime import current_request_id


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def write(settings: Log) -> list[str]:
    stream = io.StringIO()
    logs = configure(settings, stream)
    token = current_request_id.set("r-1")
    log = logging.getLogger("proxy.test")
    log.debug("unseen")
    log.info("exchange", extra={"route": "orders", "remedy": "", "reason": 'a "b"\nc'})
    log.info("other", extra={"request_id": "r-2"})
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("fault")
    current_request_id.reset(token)
    logs.stop()
    return stream.getvalue().splitlines()


def test_json_lines():
    """One object a line, with the event's fields, the request's id, and nothing empty."""
    first, second, third = (json.loads(line) for line in write(Log()))
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info", "logger": "proxy.test", "event": "exchange", "route": "orders", "reason": 'a "b"\nc',
        "request_id": "r-1",
    }  # fmt: skip
    assert second["request_id"] == "r-2"
    assert "ValueError: no" in third["exception"]


def test_console_lines():
    """A line for eyes; what could break the line is quoted."""
    lines = write(Log(format="console"))
    assert lines[0].split(" ", 1)[1] == 'INFO    exchange route=orders reason="a \\"b\\"\\nc" request_id=r-1'
    assert lines[-1] == "ValueError: no"


def test_libraries_that_log_urls_are_quiet():
    """X-14: at debug level too, HTTP libraries do not log what they send."""
    logs = configure(Log(level="debug"), io.StringIO())
    assert logging.getLogger("httpx").getEffectiveLevel() == logging.WARNING
    assert logging.getLogger("httpcore.http11").getEffectiveLevel() == logging.WARNING
    logs.stop()


def test_a_full_queue_drops_lines():
    """F-32: a stuck terminal costs lines, not requests."""
    handler = LossyHandler(1)
    logging.getLogger().handlers = [handler]
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x"}))
    assert dropped_lines() == 2


def test_formatter_needs_no_fields():
    """A line without fields is its event."""
    assert (
        ConsoleFormatter()
        .format(logging.makeLogRecord({"msg": "up", "levelname": "INFO"}))
        .endswith("INFO    up")
    )


HOSTILE = "a\n{}\r\x1b[31m\x9b31m\u2028\udc80b"


@pytest.mark.parametrize("formatter", [JSONFormatter(), ConsoleFormatter()], ids=["json", "console"])
def test_no_line_is_obeyed(formatter: logging.Formatter):
    """H-52: whatever is quoted, a line is one line, and no terminal takes it for a command."""
    record = logging.makeLogRecord({"msg": HOSTILE, "levelname": "INFO", "reason": HOSTILE, "name": "x"})
    line = formatter.format(record)
    assert line.isprintable()
    assert line.isascii()


def test_settings_apply_from_the_next_line_on():
    """A reload changes the level and the format; lines already written stay as they are."""
    stream = io.StringIO()
    logs = configure(Log(level="warning"), stream)
    log = logging.getLogger("proxy.test")
    log.info("unseen")
    logs.apply(Log(level="debug", format="console"))
    log.debug("seen")
    logs.stop()
    assert stream.getvalue().split(" ", 1)[1] == "DEBUG   seen\n"


class Stuck(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = threading.Event()

    def write(self, text: str) -> int:
        self.reader.wait()
        return len(text)


@pytest.mark.parametrize("lines", [1, 3], ids=["a line in the works", "a full queue"])
def test_a_stuck_reader_does_not_keep_the_process(lines: int):
    """F-32: the end comes though nobody reads the log."""
    stream = Stuck()
    logs = Logging(stream, size=1, patience=0.05)
    logs.apply(Log())
    logs.start()
    for _ in range(lines):
        logging.getLogger("proxy.test").info("line")
    logs.stop()
    stream.reader.set()


class Closed(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_is_gone_ends_nothing():
    """F-32: its lines are lost, and counted."""
    logs = configure(Log(), Closed())
    logging.getLogger("proxy.test").info("line")
    logs.stop()
    assert dropped_lines() == 1


def test_a_faulty_line_ends_nothing():
    """A library that logs what cannot be formatted costs that line alone."""
    stream = io.StringIO()
    logs = configure(Log(), stream)
    logging.getLogger("library").info("%d", "one")
    logging.getLogger("proxy.test").info("line")
    logs.stop()
    faulty, sound = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (faulty["logger"], faulty["error"]) == ("library", "TypeError")
    assert sound["event"] == "line"
