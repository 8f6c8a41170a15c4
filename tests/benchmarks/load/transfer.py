"""One large body down or up, over a plain blocking socket."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import BinaryIO


def download(port: int, path: str, token: str) -> dict[str, float]:
    """``bytes`` of body received in ``seconds``."""
    began = time.monotonic()
    with _request(port, f"GET {path}", token) as connection, connection.makefile("rb") as answer:
        headers = _read_head(answer)
        if headers.get("transfer-encoding") == "chunked":
            received = _read_chunks(answer)
        else:
            received = _read_exactly(answer, int(headers["content-length"]))
    return {"bytes": received, "seconds": time.monotonic() - began}


def upload(port: int, path: str, token: str, file: Path) -> dict[str, float]:
    """``bytes`` of body sent in ``seconds``, up to the answer."""
    began = time.monotonic()
    size = file.stat().st_size
    with _request(port, f"POST {path}", token, f"Content-Length: {size}\r\n") as connection:
        with file.open("rb") as body:
            connection.sendfile(body)
        with connection.makefile("rb") as answer:
            _read_head(answer)
    return {"bytes": size, "seconds": time.monotonic() - began}


def get(port: int, path: str, token: str, *, secure: bool = False) -> bytes:
    """The body of one small answer; ``secure`` is over TLS."""
    with (
        _request(port, f"GET {path}", token, secure=secure) as connection,
        connection.makefile("rb") as answer,
    ):
        headers = _read_head(answer)
        if headers.get("transfer-encoding") == "chunked":
            answer.readline()
            return answer.readline().rstrip()
        return answer.read(int(headers["content-length"]))


def _request(port: int, start: str, token: str, more: str = "", *, secure: bool = False) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    if secure:
        connection = ssl._create_unverified_context().wrap_socket(connection)
    head = (
        f"{start} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}\r\n"
    )
    connection.sendall(head.encode())
    return connection


def _read_head(answer: BinaryIO) -> dict[str, str]:
    status = answer.readline()
    lines = iter(answer.readline, b"\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if b" 200" not in status:
        raise OSError(f"answered {status!r}")
    return headers


def _read_exactly(answer: BinaryIO, size: int) -> int:
    buffer = memoryview(bytearray(256 * 1024))
    left = size
    while left:
        count = answer.readinto(buffer[: min(left, len(buffer))])
        if not count:
            raise OSError(f"cut {left} bytes before its end")
        left -= count
    return size


def _read_chunks(answer: BinaryIO) -> int:
    received = 0
    while size := int(answer.readline().split(b";")[0], 16):
        received += _read_exactly(answer, size)
        answer.readline()
    return received
