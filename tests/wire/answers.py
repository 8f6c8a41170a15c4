"""Answers of upstreams that are broken or hostile, and what their caller may see of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.raw_upstream import CLOSE, RESET, Script

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
WHOLE, REFUSED, CUT, FAILED = "whole", "refused", "cut", "refused or cut"


@dataclass(frozen=True)
class Answer:
    """What the upstream says to a ``method``; ``fate`` of it downstream, with ``status`` and ``body`` if whole."""

    name: str
    script: Script
    fate: str
    status: int = 200
    body: bytes = b"hello"
    method: str = "GET"

    def __str__(self) -> str:
        return self.name[:80]


def head(*fields: bytes, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *fields]) + b"\r\n\r\n"


LENGTH = head(b"Content-Length: 5") + b"hello"
CHUNKED = head(b"Transfer-Encoding: chunked") + HELLO

# H-40, H-41: the answer is the caller's, what stands behind it nobody's.
POISONED = [
    Answer(f"{name} and {behind}", [data + more], WHOLE, status, body, method)
    for name, data, status, body, method in [
        ("a length", LENGTH, 200, b"hello", "GET"),
        ("no length but 0", head(b"Content-Length: 0"), 200, b"", "GET"),
        ("chunks", CHUNKED, 200, b"hello", "GET"),
        ("204", head(status=b"HTTP/1.1 204 No Content"), 204, b"", "GET"),
        ("204 with a length", head(b"Content-Length: 6", status=b"HTTP/1.1 204 x"), 204, b"", "GET"),
        ("304", head(status=b"HTTP/1.1 304 Not Modified"), 304, b"", "GET"),
        ("304 with a length", head(b"Content-Length: 6", status=b"HTTP/1.1 304 x"), 304, b"", "GET"),
        ("HEAD with a length", head(b"Content-Length: 6"), 200, b"", "HEAD"),
        ("HEAD with chunks", head(b"Transfer-Encoding: chunked"), 200, b"", "HEAD"),
        ("HEAD with nothing", head(), 200, b"", "HEAD"),
        ("POST", LENGTH, 200, b"hello", "POST"),
        ("100", head(status=b"HTTP/1.1 100 Continue") + LENGTH, 200, b"hello", "GET"),
        ("103", head(b"Link: </a>", status=b"HTTP/1.1 103 Early Hints") + CHUNKED, 200, b"hello", "GET"),
    ]
    for behind, more in [
        ("nothing", b""),
        ("a response", POISON),
        ("an error", b"HTTP/1.1 500 x\r\nContent-Length: 6\r\n\r\npoison"),
        ("a body", b"poison"),
        ("an empty line", b"\r\n"),
        ("a NUL", b"\0"),
        ("an interim response", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("half a response", POISON[:30]),
    ]
]

# H-42: what is framed in two ways, or not at all, is no answer.
FRAMED = [
    Answer("both framings", [head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + HELLO], WHOLE),
    Answer(
        "both, the other way", [head(b"Transfer-Encoding: chunked", b"Content-Length: 99") + HELLO], WHOLE
    ),
    Answer("chunked in capitals", [head(b"TRANSFER-ENCODING: CHUNKED") + HELLO], WHOLE),
    Answer("until the end", [head() + b"hello", CLOSE], WHOLE),
    Answer("HTTP/1.0", [head(status=b"HTTP/1.0 200 OK") + b"hello", CLOSE], WHOLE),
    Answer(
        "NUL in the reason",
        [head(b"Content-Length: 5", status=b"HTTP/1.1 200 O\0K") + b"hello"],
        REFUSED,
    ),
    Answer("no reason", [head(b"Content-Length: 5", status=b"HTTP/1.1 200 ") + b"hello"], WHOLE),
    *(
        Answer(f"fields {fields!r}", [head(*fields) + b"hello", CLOSE], REFUSED)
        for fields in [
            (b"Content-Length: 5", b"Content-Length: 6"),
            (b"Content-Length: 6", b"Content-Length: 5"),
            (b"Content-Length: -5",),
            (b"Content-Length: +5",),
            (b"Content-Length: 0x5",),
            (b"Content-Length: 5, 6",),
            (b"Content-Length: 5 6",),
            (b"Content-Length: five",),
            (b"Content-Length: 99999999999999999999999",),
            (b"Content-Length:",),
            (b"Transfer-Encoding: gzip",),
            (b"Transfer-Encoding: xchunked",),
            (b"Transfer-Encoding: identity",),
            (b"Transfer-Encoding: chunked, gzip",),
            (b"Transfer-Encoding: gzip, chunked",),
            (b"Transfer-Encoding: chunked, chunked",),
            (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
            (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
            (b"Transfer-Encoding:\x0bchunked",),
            (b"Transfer-Encoding : chunked",),
            (b"Content-Length : 5",),
            (b"Content-Length: 5", b"X: a\0b"),
            (b"Content-Length: 5", b"X: a\rb"),
            (b"Content-Length: 5", b"X\0: a"),
            (b"Content-Length: 5", b"X y: a"),
            (b"Content-Length: 5", b"X"),
            (b"Content-Length: 5", b": a"),
            (b"Content-Length: 5", b"X: a\nSet-Cookie: b"),
            (b"Content-Length: 5", *[b"X: a"] * 200),
            (b"Content-Length: 5", b"X: " + b"a" * 66_000),
        ]
    ),
]

# H-42, H-43: no status line, no answer; no status beyond those there are.
STATUSES = [
    Answer(f"status line {line!r}", [head(b"Content-Length: 5", status=line) + b"hello", CLOSE], REFUSED)
    for line in [
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 000 x",
        b"HTTP/1.1 099 x",
        b"HTTP/1.1 600 x",
        b"HTTP/1.1 999 x",
        b"HTTP/1.1 -200 OK",
        b"HTTP/1.1 2OO OK",
        b"HTTP/1.1 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/0.9 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/2 200 OK",
        b"HTTP/2.0 200 OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b"RTSP/1.0 200 OK",
        b"200 OK",
        b"\0\0\0",
        b" HTTP/1.1 200 OK",
        b"<html>hello</html>",
        b"SSH-2.0-OpenSSH_9.2",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"GET / HTTP/1.1",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade",
    ]
] + [
    Answer("bare LF", [b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", CLOSE], REFUSED),
    Answer("interim responses without an end", [head(status=b"HTTP/1.1 103 x") * 50 + LENGTH, CLOSE], REFUSED),
    Answer("an interim response alone", [head(status=b"HTTP/1.1 103 x"), CLOSE], REFUSED),
    Answer("half a head", [LENGTH[:20], CLOSE], REFUSED),
    Answer("half a head and a reset", [LENGTH[:20], RESET], REFUSED),
    Answer("nothing", [CLOSE], REFUSED),
    Answer("nothing and a reset", [RESET], REFUSED),
    Answer("nothing to a POST", [CLOSE], REFUSED, method="POST"),
    Answer("nothing but a reset to a POST", [RESET], REFUSED, method="POST"),
]  # fmt: skip

# F-10: what is cut never looks whole.
ENDED = [
    Answer(f"{name}, then {ending.name}", [data, ending], fate)
    for name, data, fate in [
        ("length, nothing of it", head(b"Content-Length: 5"), FAILED),
        ("length, some of it", LENGTH[:-2], FAILED),
        ("chunked, nothing of it", head(b"Transfer-Encoding: chunked"), FAILED),
        ("amid a chunk", CHUNKED[: -len(HELLO)] + b"5\r\nhel", FAILED),
        ("amid a chunk's size", CHUNKED[: -len(HELLO)] + b"5", FAILED),
        ("behind a chunk", CHUNKED[: -len(HELLO)] + b"5\r\nhello\r\n", FAILED),
        ("amid the last chunk", CHUNKED[:-2], FAILED),
    ]
    for ending in (CLOSE, RESET)
]
CHUNKS = [
    Answer(f"chunks {body!r}", [head(b"Transfer-Encoding: chunked") + body, CLOSE], FAILED)
    for body in [
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"g\r\nhello\r\n0\r\n\r\n",
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"a" * 200_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"X: a\r\n" * 40_000 + b"\r\n",
    ]
] + [
    Answer("chunk extensions", [head(b"Transfer-Encoding: chunked") + b"5;a=b\r\nhello\r\n0;c\r\n\r\n"], WHOLE),
    Answer("trailers", [CHUNKED[:-2] + b"Set-Cookie: a=b\r\nContent-Length: 3\r\n\r\n"], WHOLE),
    Answer("a harmless trailer", [CHUNKED[:-2] + b"X-Checksum: 1\r\n\r\n"], WHOLE),
]  # fmt: skip

ANSWERS = [*POISONED, *FRAMED, *STATUSES, *ENDED, *CHUNKS]
