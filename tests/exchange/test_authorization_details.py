"""Rich authorization requests: what was asked for must be granted, whole."""

from __future__ import annotations

import json

import pytest

from proxy.errors import ExchangeResponseInvalid
from proxy.exchange.authorization_details import build_authorization_details, check_granted

PAYMENT = {"type": "payment", "actions": ["read", "create"], "amount": {"currency": "EUR", "limit": 50}}
ASKED = build_authorization_details([PAYMENT])


def test_one_spelling():
    """Two orders of keys are one request, and one entry of the cache."""
    turned = dict(reversed(PAYMENT.items()))
    assert build_authorization_details([turned]) == ASKED
    assert json.loads(ASKED) == [PAYMENT]
    assert build_authorization_details([]) is None


@pytest.mark.parametrize(
    "granted",
    [
        [PAYMENT],
        [{"type": "other"}, PAYMENT],
        [PAYMENT | {"actions": ["create", "read", "delete"]}],
        [PAYMENT | {"payment_id": "1"}],
    ],
)
def test_all_that_was_asked_for(granted):
    """In any order, among others, with more."""
    check_granted(granted, ASKED)


@pytest.mark.parametrize(
    "granted",
    [
        None,
        [],
        {},
        "payment",
        [{"type": "payment"}],
        [PAYMENT | {"type": "other"}],
        [PAYMENT | {"actions": ["read"]}],
        [PAYMENT | {"amount": {"currency": "EUR", "limit": 49}}],
        [PAYMENT | {"amount": {"currency": "EUR", "limit": "50"}}],
        [PAYMENT | {"amount": {"currency": "EUR", "limit": True}}],
        [PAYMENT | {"amount": [50]}],
    ],
)
def test_less_than_was_asked_for(granted):
    """RFC 9396 §7: the answer says what was granted; less would be served as if it were all."""
    with pytest.raises(ExchangeResponseInvalid, match="authorization_details"):
        check_granted(granted, ASKED)


def test_the_first_leg_need_not_tell():
    """What counts is granted in the second; what is told is held to."""
    check_granted(None, ASKED, leg=1)
    with pytest.raises(ExchangeResponseInvalid):
        check_granted([], ASKED, leg=1)
    with pytest.raises(ExchangeResponseInvalid):
        check_granted(None, ASKED, leg=2)
