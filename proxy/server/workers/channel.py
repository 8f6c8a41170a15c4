"""What supervisor and worker say to each other: values, one after the other, over a socket pair of their own.

They are pickled, secrets and all: nobody but the two processes has an end of the pair. A worker is what strangers talk
to, so what it says is read as values alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import Any, Final, Literal, NamedTuple, Self

from ...cache.revocation import Revocation
from ...config.pickled import read_pickled, write_pickled

# Of a reload: settings are built beside those that serve, then put to use by all, or given up by all.
Word = Literal["prepare", "commit", "abandon"]

_LENGTH = struct.Struct("!I")
_LONGEST: Final = 64 * 1024 * 1024  # bytes: of all news that there may be some 10 MiB come

log = logging.getLogger(__name__)


class News(NamedTuple):
    """What was revoked, and the names of the tokens that told it, which none is to take again."""

    revocations: tuple[Revocation, ...] = ()
    taken: tuple[bytes, ...] = ()


class Channel:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        return cls(*await asyncio.open_connection(sock=end))

    def say(self, word: str, value: Any = None) -> None:
        """Without waiting; lost where the other end is gone."""
        message = write_pickled((word, value))
        self._writer.write(_LENGTH.pack(len(message)) + message)

    async def hear(self) -> tuple[str, Any] | None:
        """The next word and its value; None where the other end is gone, or says what none of ours does."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > _LONGEST:
                raise ValueError("longer than anything")
            word, value = read_pickled(await self._reader.readexactly(length), News, Revocation)
        except (asyncio.IncompleteReadError, OSError):
            return None
        except (ValueError, TypeError):
            log.error("worker and supervisor do not understand each other")  # noqa: TRY400 an event, not a traceback
            self.close()
            return None
        return word, value

    def close(self) -> None:
        self._writer.close()
