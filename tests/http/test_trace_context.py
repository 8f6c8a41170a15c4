"""W3C Trace Context: what goes on as it came, and what is dropped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http.trace_context import build_trace_fields

TRACE, PARENT = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
GOOD = b"00-" + TRACE + b"-" + PARENT + b"-01"


def pass_on(traceparent: list[bytes], tracestate: list[bytes] | None = None) -> dict[bytes, bytes]:
    ended = {b"traceparent": traceparent}
    if tracestate is not None:
        ended[b"tracestate"] = tracestate
    return dict(build_trace_fields(ended))


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param(GOOD, id="version 00"),
        pytest.param(GOOD.replace(b"00-", b"cc-", 1), id="a later version"),
        pytest.param(
            GOOD.replace(b"00-", b"cc-", 1) + b"-what-the-future", id="a later version that says more"
        ),
        pytest.param(GOOD[:-2] + b"ff", id="flags not known yet"),
    ],
)
def test_well_formed_goes_on(traceparent: bytes):
    """H-52: byte for byte."""
    assert pass_on([traceparent]) == {b"traceparent": traceparent}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="none"),
        pytest.param([GOOD, GOOD], id="two"),
        pytest.param([b""], id="empty"),
        pytest.param([GOOD.upper()], id="upper case"),
        pytest.param([GOOD.replace(b"00-", b"ff-", 1)], id="version ff"),
        pytest.param([GOOD + b"-more"], id="version 00 that says more"),
        pytest.param([GOOD.replace(TRACE, b"0" * 32)], id="no trace id"),
        pytest.param([GOOD.replace(PARENT, b"0" * 16)], id="no parent id"),
        pytest.param([GOOD[:-1]], id="cut"),
        pytest.param([GOOD + b"\n"], id="a line end"),
        pytest.param([b" " + GOOD], id="a space"),
        pytest.param([GOOD.replace(b"00-", b"cc-", 1) + b"-\x1b[31m"], id="a command to a terminal"),
        pytest.param([GOOD.replace(b"00-", b"cc-", 1) + b"-" + b"x" * 300], id="too long"),
    ],
)
def test_malformed_is_dropped(values: list[bytes]):
    """H-52: and its state with it."""
    assert pass_on(values, [b"a=1"]) == {}


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        pytest.param([b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], None, id="two members"),
        pytest.param([b"a=1", b"b=2"], b"a=1,b=2", id="two fields"),
        pytest.param([b"fw529a3039@dt=FfAS , 1a-_*/=x y"], None, id="every character"),
        pytest.param([b"a=1,,b=2"], None, id="an empty member"),
        pytest.param([b""], b"", id="nothing"),
        pytest.param([b"A=1"], b"", id="an upper-case key"),
        pytest.param([b"a"], b"", id="no value"),
        pytest.param([b"a=1=2"], b"", id="two equals signs"),
        pytest.param([b"a=\xe9"], b"", id="not ASCII"),
        pytest.param([b"a=1,a=2"], b"", id="a key twice"),
        pytest.param([b",".join(b"k%d=1" % number for number in range(33))], b"", id="33 members"),
        pytest.param([b"a=" + b"x" * 257], b"", id="a long value"),
    ],
)
def test_state(values: list[bytes], passed: bytes | None):
    """H-52: the state is dropped by itself where it is malformed."""
    expected = values[0] if passed is None else passed
    assert pass_on([GOOD], values).get(b"tracestate", b"") == expected


@given(st.lists(st.binary(max_size=80), max_size=3), st.lists(st.binary(max_size=80), max_size=3))
def test_whatever_goes_on_is_harmless(traceparent: list[bytes], tracestate: list[bytes]):
    """H-52: no bytes of a caller's make anything but printable ASCII."""
    for value in pass_on(traceparent, tracestate).values():
        assert value.isascii()
        assert value.decode().replace("\t", " ").isprintable()
