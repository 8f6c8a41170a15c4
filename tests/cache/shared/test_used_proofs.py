"""Claims in the store; ``gateway/test_possession_replicas`` has them at work."""

from __future__ import annotations

import pytest

from proxy.cache.shared.sealing import SealingKey
from proxy.cache.shared.store import StoreRefused
from proxy.cache.shared.used_proofs import MARGIN, SharedProofs
from proxy.errors import ProofUncheckable
from proxy.runtime import Background

from ...support.issuer import StillClock

ONE, OTHER = SealingKey(b"\x01" * 32), SealingKey(b"\x02" * 32)


class Store:
    """Names and how long they last."""

    def __init__(self, error=None):
        self.names = {}
        self.error = error

    async def put_new(self, name, value, milliseconds):
        if self.error:
            raise self.error
        return self.names.setdefault(name, milliseconds) is milliseconds


def share(store, *keys):
    return SharedProofs(store, lambda: keys, clock=StillClock(), background=Background())


async def test_a_claim_is_good_once_for_all_who_have_one_of_the_keys():
    store = Store()
    assert await share(store, ONE).claim(b"a", 90.0)
    assert set(store.names.values()) == {int((90 + MARGIN) * 1000)}
    assert not await share(store, OTHER, ONE).claim(b"a", 80.0)
    assert not await share(store, OTHER).claim(b"a", 70.5)
    assert await share(store, ONE, OTHER).claim(b"b", 60.0)
    assert len(store.names) == 4
    assert not any(name == b"a" for name in store.names)


@pytest.mark.parametrize("error", [OSError(), StoreRefused("full")], ids=["away", "full"])
async def test_nobody_can_tell(error):
    """It fails closed."""
    shared = share(Store(error), ONE)
    with pytest.raises(ProofUncheckable):
        await shared.claim(b"a", 90.0)


def test_its_signers_are_the_keys():
    assert [sign(b"x") for sign in share(Store(), ONE, OTHER).read_signers()] == [
        ONE.sign(b"x"),
        OTHER.sign(b"x"),
    ]
