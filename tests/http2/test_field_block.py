"""Field blocks as we write them, read by two other implementations."""

from __future__ import annotations

import hpack
import pytest
from hpack.table import HeaderTable

from proxy.http2 import field_block

BLOCKS = [
    [],
    [
        (b":status", b"200"),
        (b":status", b"302"),
        (b"date", b""),
        (b"authorization", b"Bearer " + b"a" * 3000),
    ],
    [
        (b"x" * length, b"y" * length)
        for length in (1, 63, 64, 65, 126, 127, 128, 254, 255, 2047, 2048, 20_000)
    ],
    [(b":method", b"GET"), (b":path", b"/"), (b":scheme", b"https"), (b":authority", b"a")],
]


@pytest.mark.parametrize("fields", BLOCKS)
def test_what_is_read_is_what_was_written(fields):
    decoder = hpack.Decoder(1 << 20)
    assert decoder.decode(field_block.NO_TABLE + field_block.encode(fields), raw=True) == fields
    assert decoder.header_table.dynamic_entries == type(decoder.header_table.dynamic_entries)()


def test_the_static_table():
    """RFC 7541, appendix A."""
    assert tuple(HeaderTable.STATIC_TABLE) == field_block._STATIC


def test_nothing_is_ever_indexed():
    """H2-15: neither here nor, as an intermediary must keep it up, behind us (RFC 7541 §6.2.3, §7.1)."""
    fields = hpack.Decoder().decode(
        field_block.encode([(b"authorization", b"a"), (b"x-new", b"b")]), raw=True
    )
    assert not any(field.indexable for field in fields)


def test_the_memo_is_bounded():
    for index in range(3000):
        field_block.encode([(b"x-invented-%d" % index, b"")])
    assert len(field_block._names) <= 1024
