"""Which codec is used."""

from __future__ import annotations

import pytest

from proxy.http2.choose import make_codec
from proxy.http2.codec import Codec
from proxy.http2.h2_codec import H2Codec
from proxy.http2.options import CodecOptions


@pytest.mark.parametrize("client", [True, False])
def test_it_is_h2s(client: bool):
    codec: Codec = make_codec(CodecOptions(client=client))
    assert isinstance(codec, H2Codec)
