"""Failures that several requests share."""

from __future__ import annotations

import pytest

from proxy.errors import ProxyError, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from proxy.upstream.http2.failure import Failure, describe


def test_each_request_has_an_error_of_its_own() -> None:
    failure = Failure(UpstreamTimeout, "late", "hurry")
    one, other = failure.build(), failure.build()
    assert one is not other
    assert isinstance(one, UpstreamTimeout)
    assert (str(one), one.remedy) == ("late", "hurry")


def test_after_a_head_all_that_can_be_said_is_that_it_broke() -> None:
    assert isinstance(Failure(UpstreamTimeout, "late").build(200), UpstreamBroken)


def test_an_error_is_described_with_its_cause_and_without_frames() -> None:
    with pytest.raises(ProxyError) as raised:
        raise UpstreamUnreachable("no connection") from OSError("refused")
    failure = describe(raised.value)
    error = failure.build()
    assert (type(error), str(error), str(error.__cause__)) == (
        UpstreamUnreachable,
        "no connection",
        "refused",
    )
    assert raised.value.__traceback__ is None
