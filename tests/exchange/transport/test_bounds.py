"""What holds for an answer, whichever way it came."""

from __future__ import annotations

import ssl

import pytest

from proxy.errors import ExchangeMisconfigured, ExchangeResponseInvalid
from proxy.exchange.transport.bounds import (
    MAX_ANSWER,
    RETRY_AFTER,
    check_alert,
    check_encoding,
    check_size,
    unreachable,
)


@pytest.mark.parametrize(("size", "sound"), [(0, True), (MAX_ANSWER, True), (MAX_ANSWER + 1, False)])
def test_size(size: int, sound: bool):
    """X-13: to the byte."""
    if sound:
        check_size(size)
    else:
        with pytest.raises(ExchangeResponseInvalid, match="larger than"):
            check_size(size)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "", "x"])
def test_encodings_that_were_declined(encoding: str):
    """X-13: what unfolds may be of any size."""
    with pytest.raises(ExchangeResponseInvalid, match="encoded"):
        check_encoding(encoding)


@pytest.mark.parametrize("encoding", ["identity", "Identity"])
def test_no_encoding(encoding: str):
    """RFC 9110 §8.4.1: case does not count."""
    check_encoding(encoding)


@pytest.mark.parametrize(
    ("alert", "refused"),
    [
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)", True),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] ssl/tls alert bad certificate", True),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] ssl/tls alert certificate expired", True),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", True),
        ("[SSL: TLSV1_ALERT_ACCESS_DENIED] tlsv1 alert access denied", True),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", False),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version", False),
        ("Connection reset by peer", False),
    ],
)
def test_whose_certificate_was_refused(alert: str, refused: bool):
    """RFC 8446 §6.2: ours, which is ours to mend; a server's bad certificate is another matter."""
    if not refused:
        check_alert(ssl.SSLError(1, alert))
        return
    with pytest.raises(ExchangeMisconfigured, match="refuses our certificate") as caught:
        check_alert(ssl.SSLError(1, alert))
    assert caught.value.remember_by == "route"
    assert caught.value.remedy


def test_what_cannot_be_reached_may_be_tried_again():
    """F-01: callers are told when."""
    assert unreachable("why").retry_after == RETRY_AFTER
