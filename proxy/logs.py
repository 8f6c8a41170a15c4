"""Log lines, as JSON or for a terminal, written by a thread of their own.

A line is an event's name and its fields (``log.info("exchange", extra={...})``). Fields are chosen where the
line is made: no token, secret or user's claim is ever among them. The queue between is bounded: a stuck
terminal or pipe costs lines, never requests.
"""

from __future__ import annotations

import json
import logging
import queue
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TextIO

from .config.models import Log

# The request on whose behalf something is done; tasks started for it inherit it.
current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)

_QUEUE_SIZE = 10_000  # lines
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Libraries that would log URLs, headers or tracebacks of broken connections at these levels.
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.ERROR,
    "asyncio": logging.ERROR,
}


def configure(settings: Log, stream: TextIO | None = None) -> QueueListener:
    """Send the log to ``stream`` (stderr unless given); the caller stops the listener at its end."""
    output = logging.StreamHandler(stream or sys.stderr)
    output.setFormatter(JSONFormatter() if settings.format == "json" else ConsoleFormatter())
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_SIZE)
    root = logging.getLogger()
    root.handlers = [LossyQueueHandler(lines)]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    listener = QueueListener(lines, output)
    listener.start()
    return listener


class LossyQueueHandler(QueueHandler):
    """Drops a line that finds the queue full; notes the request id while the line's own context is at hand."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id.get()
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class JSONFormatter(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``event`` and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class ConsoleFormatter(logging.Formatter):
    """``12:00:00.000 INFO  exchange route=orders …``; values that hold white space or control characters quoted."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        words = [f"{time} {record.levelname:<7} {record.getMessage()}"]
        words += [f"{name}={_quoted(value)}" for name, value in fields_of(record).items()]
        if record.exc_info:
            words.append("\n" + self.formatException(record.exc_info))
        return " ".join(words)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``, without the fields that say nothing."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and value is not None and value != ""
    }


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text, ensure_ascii=True)
