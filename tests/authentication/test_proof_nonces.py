"""Nonces of ours (RFC 9449 §8): known again by their signature alone, and for a while."""

from __future__ import annotations

import pytest

from proxy.authentication.proof_nonces import AHEAD, LIFETIME, STEP, ProofNonces, sign_with
from tests.support.issuer import StillClock, b64

ONE, OTHER = sign_with(b"1" * 32), sign_with(b"2" * 32)


def make(*keys, clock=None):
    return ProofNonces(lambda: keys, clock or StillClock())


def test_it_is_good_for_a_while():
    """And rotated long before."""
    clock = StillClock(now=STEP * 1000.0)
    nonces = make(ONE, clock=clock)
    first = nonces.current
    assert nonces.accepts(first)
    clock.advance(STEP - 1)
    assert nonces.current == first
    clock.advance(1)
    assert nonces.current != first
    assert nonces.accepts(first)
    clock.advance(LIFETIME - STEP)
    assert nonces.accepts(first)
    clock.advance(1)
    assert not nonces.accepts(first)


def test_all_who_have_the_key_take_it():
    """Also while one key takes another's place, and from a replica whose clock is ahead."""
    ahead = StillClock()
    ahead.advance(AHEAD)
    assert make(ONE).accepts(make(ONE, clock=ahead).current)
    assert make(ONE, OTHER).accepts(make(OTHER).current)
    assert not make(ONE).accepts(make(OTHER).current)
    ahead.advance(2 * STEP)
    assert not make(ONE).accepts(make(ONE, clock=ahead).current)


@pytest.mark.parametrize("nonce", ["", "a", "AAAA", "AAAAAA", "é", b64(b"\x00" * 36), b64(b"\xff" * 40)])
def test_what_is_none_of_ours(nonce):
    assert not make(ONE).accepts(nonce)


def test_its_time_cannot_be_changed():
    nonces = make(ONE)
    changed = "B" + nonces.current[1:]
    assert changed != nonces.current
    assert not nonces.accepts(changed)
