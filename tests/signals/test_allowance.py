"""How many signatures strangers can have checked."""

from __future__ import annotations

from proxy.signals.allowance import RATE, SHARE, Allowance
from tests.support.issuer import StillClock


def spend(allowance: Allowance, address: str, tries: int) -> int:
    return sum(allowance.spend(address) for _ in range(tries))


def test_one_address_has_its_share():
    """And no more however long it goes on: what is not used is not saved up."""
    clock = StillClock()
    allowance = Allowance(clock)
    assert spend(allowance, "a", 1000) == SHARE
    assert spend(allowance, "b", 1000) == SHARE
    clock.advance(0.5)
    assert spend(allowance, "a", 1000) == SHARE / 2
    clock.advance(3600)
    assert spend(allowance, "a", 1000) == SHARE


def test_all_addresses_have_a_bound():
    """Whatever number of them there is."""
    clock = StillClock()
    allowance = Allowance(clock)
    assert sum(spend(allowance, str(address), 100) for address in range(1000)) == RATE
    clock.advance(1)
    assert sum(spend(allowance, str(address), 100) for address in range(1000)) == RATE


def test_what_holds_costs_nothing():
    """A sender whose signatures hold is held up neither by itself nor by others."""
    allowance = Allowance(StillClock())
    for _ in range(10_000):
        assert allowance.spend("okta")
        allowance.give_back("okta")
    for address in range(1000):
        spend(allowance, str(address), 100)
    assert not allowance.spend("stranger")
    for _ in range(1000):
        assert allowance.spend("okta")
        allowance.give_back("okta")
    assert spend(allowance, "okta", 1000) == SHARE
