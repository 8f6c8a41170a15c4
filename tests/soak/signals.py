"""10,000 events a minute from an org, then a flood of forged ones from a stranger: what requests notice of either.

Each phase is measured beside a quiet one of the same length just before it, for machines are busy in different ways
from minute to minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from proxy.demo import Demo
from proxy.demo.signals import PATH, build_entry, sign_event
from proxy.signals.allowance import RATE
from tests.support.demo import resign
from tests.support.served import Served, serving, write

RATE_OF_EVENTS = 10_000 / 60  # a second
RATE_OF_REQUESTS = 100.0  # a second
USERS = 500
FLOODERS = 4  # connections that send as fast as they are answered
ALLOWED = 3.0  # times the quiet p99, or …
NOTICED = 0.02  # s, below which nobody notices

Address = tuple[str, int]


async def signal(seconds: int) -> bool:
    """Whether requests went on as before, and strangers had no more signatures checked than they may."""
    with tempfile.TemporaryDirectory() as folder:
        async with Demo() as demo, await asyncio.start_server(answer, "127.0.0.1") as api:
            raw = demo.settings(signals=[build_entry(demo.tenant)])
            raw["routes"][0]["upstream"] = "http://127.0.0.1:{1}".format(*api.sockets[0].getsockname())
            async with serving(write(Path(folder) / "obo.yaml", raw)) as served:
                request = build_request(demo.mint("bob"))
                events = [
                    sign_event(demo.tenant, "session-revoked", f"user{number % USERS}")
                    for number in range(int(RATE_OF_EVENTS * seconds))
                ]
                held = await compare("10,000 events a minute", served, request, seconds, send_events, events)
                taken = await served.count("obo_signals_total", outcome="ended")
                print(f"{taken:.0f} of {len(events)} events taken", flush=True)
                forged = resign(sign_event(demo.tenant, "session-revoked", "bob"))
                held = await compare("forged events", served, request, seconds, flood, [forged]) and held
                checked = await served.count("obo_signals_total", outcome="refused")
                unread = await served.count("obo_signals_total", outcome="limited")
    print(
        f"{checked + unread:.0f} forged events: {checked / seconds:.1f} signatures checked a second",
        flush=True,
    )
    return held and taken == len(events) and checked <= RATE * (seconds + 1)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An API that answers at once."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


async def compare(
    name: str,
    served: Served,
    request: bytes,
    seconds: int,
    sender: Callable[[Address, Sequence[str], float], None],
    events: Sequence[str],
) -> bool:
    quiet = await probe(served.address, request, seconds)
    context = multiprocessing.get_context("spawn")
    senders = [
        context.Process(target=sender, args=(served.address, events, seconds), daemon=True)
        for _ in range(FLOODERS if sender is flood else 1)
    ]
    for process in senders:
        process.start()
    loud = await probe(served.address, request, seconds)
    for process in senders:
        await asyncio.to_thread(process.join)
    print(f"quiet: {describe(quiet)}\n{name}: {describe(loud)}", flush=True)
    return quantile(loud, 0.99) <= max(ALLOWED * quantile(quiet, 0.99), NOTICED)


async def probe(address: Address, request: bytes, seconds: float) -> list[float]:
    """The times of requests (s) from a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=ask, args=(address, request, seconds, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is noticed
    times: list[float] = await asyncio.to_thread(ours.recv)
    await asyncio.to_thread(process.join)
    return times


def ask(address: Address, request: bytes, seconds: float, results: Connection) -> None:
    times = []
    with socket.create_connection(address) as connection:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            assert exchange(connection, request).startswith(b"HTTP/1.1 200"), "a request was refused"
            times.append(time.monotonic() - began)
            time.sleep(max(0.0, 1 / RATE_OF_REQUESTS - times[-1]))
    results.send(times)


def send_events(address: Address, events: Sequence[str], seconds: float) -> None:
    began = time.monotonic()
    with socket.create_connection(address) as connection:
        for number, event in enumerate(events):
            time.sleep(max(0.0, began + number / RATE_OF_EVENTS - time.monotonic()))
            assert exchange(connection, build_push(event)).startswith(b"HTTP/1.1 202"), "an event was refused"


def flood(address: Address, events: Sequence[str], seconds: float) -> None:
    end, push = time.monotonic() + seconds, build_push(events[0])
    with socket.create_connection(address) as connection:
        while time.monotonic() < end:
            exchange(connection, push)


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """One answer, whole: the length of its body is told."""
    connection.sendall(request)
    received = b""
    while True:
        data = connection.recv(65536)
        assert data, "the connection was closed"
        received += data
        head, separator, body = received.partition(b"\r\n\r\n")
        if separator:
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if len(body) >= int(fields.get(b"content-length", b"0")):
                return received


def build_request(token: str) -> bytes:
    return f"GET /orders/1 HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def build_push(event: str) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/secevent+jwt\r\n"
    return f"{head}Content-Length: {len(event)}\r\n\r\n{event}".encode()


def quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


def describe(times: Sequence[float]) -> str:
    p50, p99 = (quantile(times, share) * 1000 for share in (0.5, 0.99))
    return f"{len(times)} requests, p50 {p50:.2f} ms, p99 {p99:.2f} ms, {max(times) * 1000:.1f} ms at most"
