"""Log lines: fields that scripts can read, written off the loop, bounded."""

from __future__ import annotations

import io
import json
import logging
import queue
from collections.abc import Iterator

import pytest

from proxy.config.models import Log
from proxy.logs import ConsoleFormatter, LossyQueueHandler, configure, current_request_id


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def write(settings: Log) -> list[str]:
    stream = io.StringIO()
    listener = configure(settings, stream)
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
    listener.stop()
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
    listener = configure(Log(level="debug"), io.StringIO())
    assert logging.getLogger("httpx").getEffectiveLevel() == logging.WARNING
    assert logging.getLogger("httpcore.http11").getEffectiveLevel() == logging.WARNING
    listener.stop()


def test_a_full_queue_drops_lines():
    """F-32: a stuck terminal costs lines, not requests."""
    handler = LossyQueueHandler(queue.Queue(1))
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "x"}))
    assert handler.dropped == 2


def test_formatter_needs_no_fields():
    """A line without fields is its event."""
    assert (
        ConsoleFormatter()
        .format(logging.makeLogRecord({"msg": "up", "levelname": "INFO"}))
        .endswith("INFO    up")
    )
