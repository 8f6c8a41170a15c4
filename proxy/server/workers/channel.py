"""What supervisor and worker say to each other: values, one after the other, over a socket pair of their own.

They are pickled, secrets and all: nobody but the two processes has an end of the pair.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import Any, Literal, Self

# Of a reload: settings are built beside those that serve, then put to use by all, or given up by all.
Word = Literal["prepare", "commit", "abandon"]

_LENGTH = struct.Struct("!I")


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
        message = pickle.dumps((word, value))
        self._writer.write(_LENGTH.pack(len(message)) + message)

    async def hear(self) -> tuple[str, Any] | None:
        """The next word and its value; None where the other end is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            message = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return None
        word, value = pickle.loads(message)  # noqa: S301 from our own parent or child, see above
        return word, value

    def close(self) -> None:
        self._writer.close()
