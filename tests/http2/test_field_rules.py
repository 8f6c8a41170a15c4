"""Fields of any message; ``test_messages`` shows what is refused of requests and responses."""

from __future__ import annotations

import pytest

from proxy.errors import BadRequest, HeaderTooLarge, UpstreamProtocolError
from proxy.http2 import field_rules
from proxy.http2.field_rules import bound_size, read_content_length, split
from tests.http2.test_messages import LIMITS


def test_a_list_counts_32_bytes_for_each_field():
    """H2-13: RFC 9113 §6.5.2."""
    assert bound_size([(b"a", b"bc"), (b"d", b"")], LIMITS) == 3 + 1 + 2 * 32
    with pytest.raises(HeaderTooLarge):
        bound_size([(b"a", b"")] * 2000, LIMITS)


def test_known_names_are_bounded():
    for index in range(3000):
        split([(b"x-invented-%d" % index, b"")], frozenset(), BadRequest)
    assert len(field_rules._sound_names) <= 1024


@pytest.mark.parametrize("refusal", [BadRequest, UpstreamProtocolError])
def test_who_refuses_says_how(refusal):
    with pytest.raises(refusal):
        split([(b"A", b"")], frozenset(), refusal)
    with pytest.raises(refusal):
        read_content_length(b"x", refusal)
