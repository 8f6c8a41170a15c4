"""Log lines, as JSON or for a terminal, written by a thread of their own.

A line is an event's name and its fields (``log.info("exchange", extra={...})``). Fields are chosen where the
line is made: no token, secret or user's claim is ever among them. The queue between is bounded: a stuck
terminal or pipe costs lines, never requests.

Whatever a line quotes, it stays one line that no terminal obeys; only a terminal's traceback of a fault is more.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, Final, TextIO

from ..config.models import Log
from ..runtime import current_request_id

QUEUE_SIZE: Final = 10_000  # lines
# s between two writes: waking a thread for each line would cost more than most requests do.
PERIOD: Final = 0.1
PATIENCE: Final = 2.0  # s, at the end, for what is still to be written
_encode = json.JSONEncoder(default=str).encode
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Libraries that would log URLs, headers or tracebacks of broken connections at these levels.
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "opentelemetry": logging.ERROR,
    "urllib3": logging.ERROR,
    "uvicorn": logging.ERROR,
    "websockets": logging.ERROR,
    "asyncio": logging.ERROR,
}


def configure(settings: Log, stream: TextIO | None = None) -> Logging:
    """Send the log to ``stream`` (stderr unless given); the caller stops it at its end."""
    # Nobody is shown these, so nobody need find them out.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logs = Logging(stream or sys.stderr)
    logs.apply(settings)
    logs.start()
    return logs


class Logging:
    """The process's log: the root logger's only handler, and the thread that writes what it is given.

    A forked process has no such thread, and configures a log of its own.
    """

    def __init__(self, stream: TextIO, *, size: int = QUEUE_SIZE, patience: float = PATIENCE) -> None:
        self._stream = stream
        self._patience = patience
        self._handler = LossyHandler(size)
        self._formatter: logging.Formatter = JSONFormatter()
        self._ending = Event()
        self._thread = Thread(target=self._write_on, name="log", daemon=True)

    def apply(self, settings: Log) -> None:
        """Log by ``settings`` from the next write on."""
        self._formatter = JSONFormatter() if settings.format == "json" else ConsoleFormatter()
        root = logging.getLogger()
        root.handlers = [self._handler]
        root.setLevel(settings.level.upper())
        for name, level in _QUIET.items():
            logging.getLogger(name).setLevel(max(level, root.level))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is left; for at most ``patience`` (s), where the reader is stuck."""
        self._ending.set()
        self._thread.join(self._patience)

    def _write_on(self) -> None:
        while not self._ending.wait(PERIOD):
            self._write()
        self._write()

    def _write(self) -> None:
        records = self._handler.take()
        if records:
            try:
                self._stream.write("".join([self._format(record) for record in records]))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more: there is no place left to say so
                self._handler.dropped += len(records)

    def _format(self, record: logging.LogRecord) -> str:
        try:
            return self._formatter.format(record) + "\n"
        except Exception as error:  # noqa: BLE001 a library's faulty line must not end the log
            fault = {"msg": "a log line that cannot be written", "name": record.name, "levelname": "ERROR"}
            return (
                self._formatter.format(logging.makeLogRecord({**fault, "error": type(error).__name__})) + "\n"
            )


def dropped_lines() -> int:
    """Lines that were lost because nobody took them in time."""
    return sum(
        handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, LossyHandler)
    )


class LossyHandler(logging.Handler):
    """Keeps at most ``size`` lines until they are taken, and drops others.

    Notes the request id while the line's own context is at hand.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dropped = 0
        self._size = size
        self._records: deque[logging.LogRecord] = deque()

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._records) >= self._size:
            self.dropped += 1
            return
        if not hasattr(record, "request_id"):
            record.request_id = current_request_id.get()
        self._records.append(record)

    def take(self) -> list[logging.LogRecord]:
        """The lines so far, in order; another thread may add some meanwhile."""
        return [self._records.popleft() for _ in range(len(self._records))]


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
        return _encode(line)


class ConsoleFormatter(logging.Formatter):
    """``12:00:00.000 INFO  exchange route=orders …``; values that hold white space or control characters quoted."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        words = [f"{time} {record.levelname:<7} {_printable(record.getMessage())}"]
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
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)
