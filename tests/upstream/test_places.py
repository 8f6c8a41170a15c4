"""Who may take how many places, and whose turn it is."""

import asyncio
import math
from contextlib import suppress

import pytest

from proxy.errors import Overloaded
from proxy.upstream.places import WAITING_PER_PLACE, Places, Shares
from tests.support.leftovers import leftovers

from .requests import until


def take_all(shares: Shares, user: object) -> int:
    """How many ``user`` gets."""
    taken = 0
    while shares.take(user):
        taken += 1
    return taken


@pytest.mark.parametrize(
    ("limit", "alone", "others"),
    [
        (1, 1, []),
        (2, 1, [1]),
        (4, 3, [1]),
        (8, 6, [1, 1]),
        (16, 12, [1, 1, 1, 1]),
        (64, 48, [4, 4, 4, 4]),
        (256, 192, [16, 16, 16, 16]),
        (1000, 750, [62, 62, 62, 62, 2]),
    ],
)
def test_the_last_quarter_is_for_those_below_their_share(limit: int, alone: int, others: list[int]) -> None:
    """F-25: one user takes three quarters, and the next ones a share each, until all are taken."""
    shares = Shares(limit)
    assert take_all(shares, "bob") == alone
    assert [take_all(shares, number) for number in range(len(others))] == others
    assert shares.taken == limit
    assert not shares.allows("alice")
    assert not shares.allows(None)


def test_the_proxy_itself_takes_all() -> None:
    """No share binds it, but the limit does."""
    assert take_all(Shares(8), None) == 8


def test_what_is_given_back_is_free() -> None:
    """By whom does not matter below three quarters; above, only whoever is below the share may have it."""
    shares = Shares(8)
    take_all(shares, "bob")
    assert shares.take("alice")
    shares.give_back("bob")
    assert (shares.count("bob"), shares.count("alice"), shares.taken) == (5, 1, 6)
    assert not shares.allows("bob")
    shares.give_back("alice")
    assert shares.count("alice") == 0
    assert shares.allows("bob")


class Crowd:
    """Callers in the queue of ``places``, and those who have had their turn, in that order."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.served: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def join(self, *users: str) -> None:
        """One after the other."""
        for user in users:
            self.tasks.append(asyncio.ensure_future(self._wait(user)))
            await asyncio.sleep(0)

    async def _wait(self, user: str) -> None:
        await self.places.wait(user)
        self.served.append(user)


async def test_turns_go_round_the_users() -> None:
    """F-25: whoever has many waiting gets one turn for each of the others'."""
    places = Places(64, 5.0)
    for number in range(64):
        places.take(number)
    crowd = Crowd(places)
    await crowd.join("bob", "bob", "bob", "alice", "dave", "alice")
    assert places.waiting == 6
    for number in range(6):
        places.leave(number)
    await asyncio.gather(*crowd.tasks)
    assert crowd.served == ["bob", "alice", "dave", "bob", "alice", "bob"]
    assert (places.taken, places.waiting) == (64, 0)


async def test_whoever_has_their_share_is_passed_over() -> None:
    """F-25: a place of the last quarter stays free for others, however many wait who may not have it."""
    places = Places(4, 5.0)
    for _ in range(3):
        places.take("bob")
    crowd = Crowd(places)
    await crowd.join("bob", "bob")
    assert places.take("alice"), "at once"
    await crowd.join("carol")
    places.leave("alice")
    await until(lambda: crowd.served == ["carol"])
    places.leave("bob")
    assert places.count("bob") == 2, "he has more than his share"
    places.leave("bob")
    places.leave("carol")
    await asyncio.gather(*crowd.tasks)
    assert crowd.served == ["carol", "bob", "bob"]


async def test_the_queue_is_shared_out_as_well() -> None:
    """F-25: one user fills three quarters of it, not all."""
    places = Places(4, 5.0)
    for user in ("bob", "bob", "bob", "carol"):
        places.take(user)
    size = 4 * WAITING_PER_PLACE
    crowd = Crowd(places)
    await crowd.join(*["bob"] * size)
    assert places.waiting == size * 3 // 4
    await crowd.join("alice")
    assert places.waiting == size * 3 // 4 + 1
    places.close()
    outcomes = await asyncio.gather(*crowd.tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Overloaded}
    assert places.waiting == 0


@pytest.mark.parametrize("late", [False, True], ids=["in the queue", "with the turn"])
async def test_whoever_leaves_the_queue_keeps_nothing(late: bool) -> None:
    """F-22: cancelled while they wait, or in the moment of their turn, which goes to the next."""
    places = Places(1, 5.0)
    places.take("bob")
    crowd = Crowd(places)
    await crowd.join("alice", "alice", "carol")
    if late:
        places.leave("bob")
    crowd.tasks[0].cancel()
    if not late:
        places.leave("bob")  # before the one who has left could say so
    await until(lambda: crowd.served == ["carol"])
    places.leave("carol")
    await asyncio.gather(*crowd.tasks, return_exceptions=True)
    assert crowd.served == ["carol", "alice"]
    assert (places.taken, places.count("alice"), places.waiting) == (1, 1, 0)


async def test_whoever_waits_too_long_is_refused() -> None:
    """F-25: with when to come back, and in the log who has how many; the others wait on."""
    places = Places(1, 5.0)
    places.take("bob")
    crowd = Crowd(places)
    await crowd.join("alice", "bob")
    now = asyncio.get_running_loop().time()
    places.expire(now + 4.9)
    assert places.waiting == 2
    places.expire(now + 5.1)
    with pytest.raises(Overloaded, match="became free in time; this user has 1 of 1") as refused:
        await crowd.tasks[1]
    assert refused.value.retry_after == 1.0
    with pytest.raises(Overloaded, match="this user has 0 of 1"):
        await crowd.tasks[0]
    places.expire(math.inf)
    assert (places.taken, places.waiting) == (1, 0)


async def test_refused_and_cancelled_at_once() -> None:
    """F-22: nothing is counted twice."""
    places = Places(1, 5.0)
    places.take("bob")
    crowd = Crowd(places)
    await crowd.join("alice")
    crowd.tasks[0].cancel()
    places.expire(math.inf)
    await asyncio.gather(*crowd.tasks, return_exceptions=True)
    assert (places.taken, places.waiting) == (1, 0)
    places.leave("bob")
    assert places.taken == 0


async def test_nobody_waits_at_a_closed_one() -> None:
    """Whoever comes after the end is refused at once."""
    places = Places(1, 5.0)
    places.close()
    with pytest.raises(Overloaded, match="closing"):
        await places.wait("alice")


async def test_nothing_is_left_of_a_refusal() -> None:
    """F-25: a caller who waited in vain leaves nothing to the garbage collector."""
    places = Places(1, 5.0)
    places.take("bob")

    async def wait_in_vain() -> None:
        with suppress(Overloaded):
            await places.wait("alice")

    async def visit() -> None:
        waiting = asyncio.ensure_future(wait_in_vain())
        await asyncio.sleep(0)
        places.expire(math.inf)
        await waiting

    assert await leftovers(visit) == {}


async def test_fewer_places_and_more_again() -> None:
    """Those who have one keep it; whoever waits is given one as soon as there are more."""
    places = Places(8, 60)
    assert take_all(places, None) == 8
    places.resize(2)
    waiting = asyncio.ensure_future(places.wait(None))
    await asyncio.sleep(0)
    for _ in range(6):
        places.leave(None)
    assert (places.taken, places.waiting) == (2, 1)
    places.resize(4)
    await waiting
    assert (places.taken, places.waiting) == (3, 0)
