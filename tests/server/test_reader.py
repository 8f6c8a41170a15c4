"""How much of a request is taken before it is refused, however it is cut."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from proxy.errors import BadRequest, HeaderTooLarge, ProxyError, SubjectTokenExpired, TargetTooLong
from proxy.server.reader import RequestReader

from .apps import USUAL_LIMITS
from .messages import chunked, get, post

LARGEST_READ = 256 * 1024  # bytes, of asyncio and of uvloop
GET = get(b"GET / HTTP/1.1")
UPGRADE = (b"Connection: Upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked")
BODY = b"100000\r\n" + bytes(1 << 20) + b"\r\n"


class Served:
    """Targets of the requests that are whole, the sizes of their bodies, and all bodies in pieces."""

    def __init__(self, limits=USUAL_LIMITS):
        self.reader = RequestReader(self, limits)
        self.targets = []
        self.versions = []
        self.sizes = []
        self.pieces = []

    def on_request(self):
        self.sizes.append(0)
        self.versions.append(self.reader.version)

    def on_body_piece(self, data):
        self.sizes[-1] += len(data)
        self.pieces.append(data)

    def on_end(self):
        self.targets.append(self.reader.target)

    def feed(self, data, size):
        for start in range(0, len(data), size):
            self.reader.feed(data[start : start + size])

    def fill(self, pieces, error):
        """Bytes of ``pieces`` that were taken before one was refused with ``error``."""
        taken = 0
        for piece in pieces:
            try:
                self.reader.feed(piece)
            except error:
                return taken
            taken += len(piece)
        raise AssertionError(f"{taken} bytes were taken")


def line(size):
    return b"X: " + b"x" * (size - 5) + b"\r\n"


def cut(data, size):
    return (data[start : start + size] for start in range(0, len(data), size))


# What a request may be before its trailers.
BEFORE = {
    "no body": chunked(b""),
    "a byte": chunked(b"1\r\na\r\n"),
    "8 MiB": chunked(BODY * 8),
    "an upgrade that is ignored": post(*UPGRADE, body=BODY * 8),
    "another request": chunked(BODY + b"0\r\n\r\n") + GET + chunked(BODY),
}
LINES = {"one line": b"X: " + b"x" * (1 << 20), "short lines": b"X: x\r\n" * (1 << 17)}


@pytest.mark.parametrize("size", [1, 20, 4096, LARGEST_READ])
@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_trailers_have_a_bound_of_their_own(before, lines, size):
    """H-26, F-24: whatever body came before them, and however they are cut."""
    served = Served()
    served.feed(before + b"0\r\n", LARGEST_READ)
    taken = served.fill(cut(lines, size), BadRequest)
    assert taken <= USUAL_LIMITS.max_header_bytes


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["unfinished", "finished"])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_no_long_trailer_is_kept(before, end):
    """H-26: not until more comes, either, although llhttp tells of it only then."""
    served = Served()
    with pytest.raises(BadRequest):
        served.reader.feed(before + b"0\r\n" + line(USUAL_LIMITS.max_field_bytes + 3)[:-2] + end)


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES)
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_trailers_that_come_with_the_last_chunk_are_bounded(before, lines):
    """H-26: nothing is forgiven for the sake of the body in the same read."""
    served = Served()
    with pytest.raises(BadRequest):
        served.feed(before + b"0\r\n" + lines[: LARGEST_READ // 2], 1 << 30)


@pytest.mark.parametrize("size", [1, 7, 4096, LARGEST_READ])
@pytest.mark.parametrize("more", [b"", b"X: a\r\n"], ids=["largest", "larger"])
def test_trailers_may_be_as_large_as_a_head(size, more):
    """H-26: to the byte, the empty line behind them included."""
    trailers = line(8192) * 7 + line(8190) + more + b"\r\n"
    data = chunked(b"5\r\nhello\r\n0\r\n" + trailers)
    served = Served()
    if more:
        with pytest.raises(BadRequest):
            served.feed(data, size)
    else:
        served.feed(data + GET, size)
        assert served.sizes == [5, 0]


@pytest.mark.parametrize("size", [1, 20, 4096])
def test_no_line_is_gathered_beyond_what_a_field_may_have(size):
    """F-32: llhttp copies what there is of a line at each read, which must not become much."""
    bound = USUAL_LIMITS.max_field_bytes + size
    served = Served()
    served.feed(chunked(BODY * 8 + b"0\r\n"), LARGEST_READ)
    assert served.fill(repeat(b"x" * size, 1 << 17), BadRequest) <= bound
    served = Served()
    served.feed(b"GET / HTTP/1.1\r\nX: ", 7)
    assert served.fill(repeat(b"x" * size, 1 << 17), HeaderTooLarge) <= bound
    served = Served()
    served.feed(b"GET /", 7)
    assert served.fill(repeat(b"x" * size, 1 << 17), TargetTooLong) <= USUAL_LIMITS.max_target_bytes


def test_an_unfinished_head_has_no_more_fields_than_a_whole_one():
    """F-36: many short fields would take far more memory than they hold."""
    served = Served()
    served.feed(b"GET / HTTP/1.1\r\n", 100)
    assert served.fill(repeat(b"X:\r\n", 1000), HeaderTooLarge) <= 4 * (USUAL_LIMITS.max_header_fields + 2)


@pytest.mark.parametrize("size", [1000, LARGEST_READ])
def test_body_is_no_framing_saved_up_for_later(size):
    """H-26: extensions are measured against the body they come with, not against what came long before."""
    served = Served()
    served.feed(chunked(BODY * 8), LARGEST_READ)
    extensions = b"1;" + b"e" * 5000 + b"\r\na\r\n"
    assert served.fill(cut(extensions * 1000, size), BadRequest) <= 2 * USUAL_LIMITS.max_header_bytes + size


# What a read may begin with: its last bytes are those of an unfinished head.
AHEAD = {
    "a body of known length": post(b"Content-Length: 200000", body=bytes(200_000)),
    "chunks": chunked(BODY[:8] + b"0" * (1 << 20) + b"\r\n0\r\n\r\n"),
    "many heads": get(b"GET / HTTP/1.1", *[b"X: " + b"x" * 4000] * 2) * 30,
    "an ignored upgrade": post(*UPGRADE, body=b"30000\r\n" + b"\n" * 0x30000 + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("ahead", AHEAD.values(), ids=AHEAD)
@pytest.mark.parametrize("part", [1, 20, 60], ids=["method", "field", "more fields"])
def test_what_comes_before_a_head_is_not_counted_as_head(ahead, part):
    """H-39: 431 is for heads that are too large, not for what is read together with one."""
    last = get(b"GET /last HTTP/1.1", b"X: a", b"Y: b", b"Z: " + b"c" * 100)
    served = Served()
    served.reader.feed(ahead + last[:part])
    served.reader.feed(last[part:] + GET)
    assert served.targets[-2:] == [b"/last", b"/"]


@pytest.mark.parametrize("ahead", [b"", *AHEAD.values()], ids=["nothing", *AHEAD])
@pytest.mark.parametrize("size", [1, 4096, LARGEST_READ])
def test_a_head_is_bounded_wherever_it_begins(ahead, size):
    """H-39, F-36: at most a read more than a head may have."""
    served = Served()
    served.reader.feed(ahead + b"GET / HTTP/1.1\r\n")
    fields = chain.from_iterable(cut(line(8000), size) for _ in range(1000))
    taken = served.fill(fields, HeaderTooLarge)
    assert taken <= USUAL_LIMITS.max_header_bytes + USUAL_LIMITS.max_target_bytes


@pytest.mark.parametrize("ahead", AHEAD.values(), ids=AHEAD)
def test_a_large_head_in_one_read_with_something_else_is_refused(ahead):
    """H-39: as soon as it is whole, or more of it comes."""
    large = ahead + b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000
    assert Served().fill([large, b"\r\n", b"\r\n"], HeaderTooLarge) <= len(large) + 2


PIPELINE = (
    post(b"Content-Length: 12", body=b"GET / HTTP/1")
    + post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 9", body=b"\r\n\r\nPOST ")
    + b"\r\n"
    + GET
    + chunked(b"5\r\nhello\r\n3\r\n\r\n\r\r\n0\r\nX: a\r\n\r\n")
    + post(b"Content-Length: 0")
    + post(b"Content-Length: 1", body=b"!")
    + get(b"GET /last HTTP/1.1")
)


@pytest.mark.parametrize("size", [*range(1, 24), 64, 100, 150, 200, len(PIPELINE)])
def test_requests_are_the_same_however_they_are_cut(size):
    """H-20: where a body ends does not depend on who counts its bytes, llhttp or we."""
    served = Served()
    served.feed(PIPELINE, size)
    assert served.sizes == [12, 9, 0, 8, 0, 1, 0]
    assert served.targets[2] == b"/"
    assert served.targets[-1] == b"/last"
    assert b"".join(served.pieces) == b"GET / HTTP/1\r\n\r\nPOST hello\r\n\r!"
    with pytest.raises(BadRequest):
        served.reader.feed(b"@\r\n")


def test_a_body_of_known_length_is_passed_on_as_it_came():
    served = Served()
    served.reader.feed(post(b"Content-Length: 300000"))
    reads = [bytes(100_000) for _ in range(3)]
    for read in reads:
        served.reader.feed(read)
    assert [id(piece) for piece in served.pieces] == [id(read) for read in reads]
    assert served.targets == [served.reader.target]


def test_a_refusal_is_nobody_elses():
    """What is being handled elsewhere, as its context, has nothing to do with what was read."""
    reader = Served().reader
    try:
        raise SubjectTokenExpired("another's")
    except ProxyError:
        with pytest.raises(BadRequest):
            reader.feed(b"GET / HTTP/1.1\r\nHost x\r\n\r\n")


EARLIER = {
    "none": (b"", []),
    "empty lines": (b"\r\n\r\n", []),
    "without a body": (GET, ["1.1"]),
    "whose body looks like a line": (post(b"Content-Length: 11", body=b" HTTP/1.1\r\n"), ["1.1"]),
    "in chunks": (chunked(b"b\r\n HTTP/1.1\r\n\r\n0\r\n\r\n"), ["1.1"]),
    "with an upgrade that is ignored": (post(*UPGRADE, body=b"0\r\n\r\n"), ["1.1"]),
}
LAST = {
    "1.1": GET,
    "1.0": get(b"GET / HTTP/1.0"),
    "1.0, at the end of the target": get(b"GET /HTTP/1.1 HTTP/1.0"),
    "1.0, in a field": get(b"GET / HTTP/1.0", b"X: HTTP/1.1"),
    "1.0, behind two spaces": get(b"GET  / HTTP/1.0"),
    "1.0, behind as many as hide it": get(b"GET           / HTTP/1.0"),
}


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize(("earlier", "versions"), EARLIER.values(), ids=EARLIER)
def test_a_version_is_that_of_its_own_line(earlier, versions, last):
    """H-07: whatever came before, and wherever the reads are cut."""
    data = earlier + LAST[last]
    for size in (*range(1, 40), len(data)):
        for start in range(size):
            served = Served()
            served.feed(data[:start], size)
            served.feed(data[start:], size)
            assert served.versions == [*versions, last[:3]]


@pytest.mark.parametrize("method", [b"GET", b"OPTIONS", b"CONNECT"])
@pytest.mark.parametrize("shift", range(12))
def test_a_target_that_reads_like_a_version_is_refused(method, shift):
    """H-07: HTTP/0.9 has none behind its target, whatever stands at the place where one is looked for."""
    for begin in (b"\n" * shift + method + b" ", method + b" " * (shift + 1)):
        served = Served()
        with pytest.raises(ProxyError):
            served.feed(get(begin + b"HTTP/1.1"), LARGEST_READ)
        assert served.versions == []
