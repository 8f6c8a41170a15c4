"""The model of a fleet: what can be computed is what it simulates."""

import pytest

from .benchmarks.fleet import HOUR, MODES, Fleet, compute, compute_burst, compute_cold, simulate

LOCAL = [
    Fleet("local, random", 1, rate=1 / 60),
    Fleet("local, random", 16, rate=0.1, lifetime=300),
    Fleet("local, random", 64, rate=1 / 60),
    Fleet("local, sticky", 64, rate=1 / 600),
]


@pytest.mark.parametrize("fleet", LOCAL, ids=lambda fleet: f"{fleet.mode}-{fleet.replicas}")
def test_local_caches_follow_the_formula(fleet: Fleet):
    """One exchange a cycle: the time until an entry is due, and until that replica is asked again."""
    assert simulate(fleet).exchanges == pytest.approx(compute(fleet), rel=0.05)


def test_a_token_is_due_when_the_cache_says():
    """Defaults: revalidation for long-lived tokens, renewal a minute before the leeway for short-lived ones."""
    assert Fleet("shared", lifetime=HOUR).due == 300
    assert Fleet("shared", lifetime=300).due == 210
    assert Fleet("shared", lifetime=HOUR, revalidate_after=HOUR).due == 3510


def test_a_shared_cache_is_no_worse_than_one_replica():
    """Between one exchange a cycle of one replica, and one for each token's whole life."""
    fleet = Fleet("shared", 32)
    whole_life = fleet.users / (fleet.bound + 1 / fleet.rate)
    assert whole_life * 0.95 < simulate(fleet).exchanges < compute(Fleet("local, random", 1)) * 1.05


def test_too_few_entries_cost_an_exchange_a_request():
    """Where hardly anything is remembered; the shared cache remembers for all."""
    crowded = Fleet("local, random", 4, users=10_000_000, max_entries=10_000)
    assert simulate(crowded).exchanges == pytest.approx(crowded.users * crowded.rate, rel=0.05)
    shared = simulate(Fleet("shared", 4, users=10_000_000, max_entries=10_000))
    assert shared.exchanges < shared.lookups / 5


@pytest.mark.parametrize(("mode", "cold"), list(zip(MODES, (100_000, 25_000, 0), strict=True)))
def test_a_cold_replica_asks_for_all_who_come_to_it(mode, cold):
    """In the end that is everybody, or its share, or nobody."""
    assert compute_cold(Fleet(mode, 4), 10 * HOUR) == pytest.approx(cold, rel=0.01)


def test_one_user_meets_as_many_cold_replicas_as_there_are_requests():
    """At most: some of them meet the same."""
    assert compute_burst(Fleet("local, random", 1, rate=10)) == 1
    assert 9 < compute_burst(Fleet("local, random", 64, rate=10)) < 10
