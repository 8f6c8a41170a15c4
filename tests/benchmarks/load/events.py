"""Many readers of server-sent events, and how long each event was on its way."""

from __future__ import annotations

import asyncio
import re
import statistics
import time

EVENT = re.compile(rb"data: (\d+)\n\n")


def read_events(port: int, path: str, token: str, readers: int, seconds: float) -> dict[str, float]:
    """``p50`` and ``p99`` seconds from the sending of an event to its arrival, and how many ``events`` came."""
    delays = asyncio.run(_read_all(port, path, token, readers, seconds))
    cuts = statistics.quantiles(delays, n=100)
    return {"events": len(delays), "p50": cuts[49], "p99": cuts[98]}


async def _read_all(port: int, path: str, token: str, readers: int, seconds: float) -> list[float]:
    head = f"GET {path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    delays: list[float] = []
    reading = [asyncio.create_task(_read_one(port, head, delays)) for _ in range(readers)]
    # The first second is for connecting; what arrived in it is not counted.
    await asyncio.sleep(1)
    delays.clear()
    await asyncio.sleep(seconds)
    for task in reading:
        task.cancel()
    ended = await asyncio.gather(*reading, return_exceptions=True)
    faults = [end for end in ended if isinstance(end, Exception)]
    if faults or not delays:
        raise OSError(f"{len(faults)} of {readers} streams broke, {len(delays)} events came: {faults[:1]}")
    return delays


async def _read_one(port: int, head: bytes, delays: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        while piece := await reader.read(65536):
            now = time.monotonic_ns()
            delays.extend((now - int(sent)) / 1e9 for sent in EVENT.findall(piece))
        raise OSError("the stream ended")
    finally:
        writer.close()
