"""gRPC's own fields, and refusals in its terms."""

from __future__ import annotations

from urllib.parse import unquote

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import (
    BadRequest,
    DeadlineExceeded,
    HeaderTooLarge,
    NoRoute,
    Overloaded,
    ProxyError,
    ScopeInsufficient,
    SubjectTokenMissing,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from proxy.http.grpc import (
    build_refusal,
    encode_message,
    find_status,
    format_timeout,
    is_grpc,
    parse_timeout,
    replace_timeout,
)
from proxy.http.headers import values
from proxy.http.problem import build_problem


@pytest.mark.parametrize(
    ("content_types", "expected"),
    [
        ([b"application/grpc"], True),
        ([b"application/grpc+proto"], True),
        ([b"Application/gRPC+json"], True),
        ([b"application/grpc;charset=utf-8"], True),
        ([b"application/grpc ; x=y"], True),
        ([b"application/grpc-web"], False),
        ([b"application/grpc-web+proto"], False),
        ([b"application/json"], False),
        ([b"xapplication/grpc"], False),
        ([b"application/grpc", b"application/json"], False),
        ([], False),
    ],
)
def test_calls_are_told_by_their_content_type(content_types, expected):
    assert is_grpc(content_types) is expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"400m", 0.4),
        (b"50u", 50e-6),
        (b"6n", 6e-9),
        (b"0S", 0.0),
        (b"99999999H", 99_999_999 * 3600.0),
    ],
)
def test_a_timeout_is_a_number_and_a_unit(value, seconds):
    assert parse_timeout([value]) == pytest.approx(seconds)


def test_there_need_not_be_a_timeout():
    assert parse_timeout([]) is None


@pytest.mark.parametrize(
    "given_values",
    [
        [b""], [b"S"], [b"1"], [b"1s"], [b"-1S"], [b"+1S"], [b"1.5S"], [b" 1S"], [b"1S "], [b"1S\n"], [b"123456789S"],
        [b"1S", b"1S"], ["\N{ARABIC-INDIC DIGIT ONE}S".encode()], [b"1S,2S"],
    ],
)  # fmt: skip
def test_a_malformed_timeout_is_refused(given_values):
    with pytest.raises(BadRequest):
        parse_timeout(given_values)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, b"0n"),
        (0.05, b"50000000n"),
        (0.5, b"500000u"),
        (60.0, b"60000000u"),
        (100.5, b"100500m"),
        (200_000.0, b"200000S"),
        (1e9, b"16666666M"),
        (1e12, b"99999999H"),
    ],
)
def test_what_is_left_has_the_finest_unit_there_is_room_for(seconds, expected):
    assert format_timeout(seconds) == expected


@given(st.floats(0.0, 3e11))
def test_nobody_is_given_more_time_than_is_left(seconds):
    """Rounded down, and by less than a thousandth of it, or a nanosecond."""
    told = parse_timeout([format_timeout(seconds)])
    assert told is not None
    assert seconds * 0.999 - 1e-9 <= told <= seconds * (1 + 1e-12)


def test_the_timeout_is_replaced_where_it_stands():
    fields = [(b"a", b"1"), (b"grpc-timeout", b"9S"), (b"b", b"2")]
    assert replace_timeout(fields, 0.05) == [(b"a", b"1"), (b"grpc-timeout", b"50000000n"), (b"b", b"2")]
    assert replace_timeout(fields[:1], 1.0) == fields[:1]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("plain text", b"plain text"), ("50%", b"50%25"), ("ä\n", b"%C3%A4%0A"), ("~ ", b"~ ")],
)
def test_messages_are_percent_encoded(text, encoded):
    assert encode_message(text) == encoded


@given(st.text())
def test_every_message_can_be_read_back(text):
    encoded = encode_message(text.encode("utf-8", "replace").decode())
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert unquote(encoded.decode("ascii")) == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SubjectTokenMissing(), grpc.StatusCode.UNAUTHENTICATED),
        (ScopeInsufficient(), grpc.StatusCode.PERMISSION_DENIED),
        (NoRoute(), grpc.StatusCode.UNIMPLEMENTED),
        (BadRequest(), grpc.StatusCode.INVALID_ARGUMENT),
        (HeaderTooLarge(), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Overloaded(), grpc.StatusCode.UNAVAILABLE),
        (UpstreamUnreachable(), grpc.StatusCode.UNAVAILABLE),
        (UpstreamTimeout(), grpc.StatusCode.DEADLINE_EXCEEDED),
        (DeadlineExceeded(), grpc.StatusCode.DEADLINE_EXCEEDED),
        (ProxyError(), grpc.StatusCode.INTERNAL),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_a_refusal_is_one_block_of_fields(error: ProxyError, status: grpc.StatusCode):
    """Trailers-Only: HTTP's status is 200, gRPC's says what it is, and there is no body nor a length of one."""
    http_status, fields, body = build_refusal(error, build_problem(error, request_id="r-1"))
    assert (http_status, body) == (200, b"")
    assert values(fields, b"content-type") == [b"application/grpc"]
    assert values(fields, b"grpc-status") == [b"%d" % status.value[0]]
    assert values(fields, b"grpc-message") == [f"{error.code}: {error.detail}".encode()]
    assert values(fields, b"x-obo-code") == [error.code.encode()]
    assert values(fields, b"x-request-id") == [b"r-1"]
    assert not values(fields, b"content-length")


def test_the_challenge_is_kept():
    """What a new token should be like, and when to come back."""
    refusal = SubjectTokenMissing()
    problem = build_problem(refusal, request_id="r-1", scopes=["a", "b"])
    assert values(build_refusal(refusal, problem)[1], b"www-authenticate") == values(
        problem[1], b"www-authenticate"
    )
    refusal = Overloaded()
    fields = build_refusal(refusal, build_problem(refusal, request_id="r-1"))[1]
    assert values(fields, b"retry-after") == [b"1"]


def test_a_status_that_nothing_is_known_of():
    assert find_status(599) == grpc.StatusCode.UNKNOWN.value[0]
