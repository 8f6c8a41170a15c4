"""The table of users whose access has ended."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from proxy.cache.revocation import Revocation
from proxy.cache.user_revocations import LASTING, MARGIN, UserRevocations
from proxy.errors import SubjectTokenInvalid, SubjectTokenRefused
from proxy.runtime import STEPS
from tests.support.issuer import NOW, StillClock

ALICE, BOB, CAROL = (bytes([number]) * 32 for number in range(3))


def build(most: int = 10) -> tuple[UserRevocations, StillClock]:
    clock = StillClock()
    return UserRevocations(clock, most), clock


def revoke(users: UserRevocations, key: bytes = ALICE, at: float = NOW) -> None:
    users.hear([Revocation("user", key, at)])


def refused(users: UserRevocations, key: bytes = ALICE, issued_at: float | None = NOW) -> bool:
    try:
        users.require((key,), issued_at, NOW + 3600)
    except SubjectTokenRefused:
        return True
    return False


class Follower:
    def __init__(self) -> None:
        self.heard: list[Revocation] = []
        self.doubts: list[float] = []

    def hear(self, revocations: Sequence[Revocation]) -> int:
        self.heard += revocations
        return 2

    def doubt(self, seconds: float) -> None:
        self.doubts.append(seconds)


@pytest.mark.parametrize(
    ("issued_at", "verdict"), [(NOW - 60, True), (NOW, True), (NOW + 1, False), (None, True)]
)
def test_what_was_issued_no_later_is_refused(issued_at: float | None, verdict: bool):
    """Issuers tell whole seconds, so that of the event's very second may be of before; so may one of no time."""
    users, _ = build()
    assert not refused(users, issued_at=issued_at)
    revoke(users)
    assert refused(users, issued_at=issued_at) is verdict
    assert not refused(users, BOB, issued_at=issued_at)


def test_the_latest_counts_in_whatever_order_they_come():
    """Events overtake each other."""
    users, _ = build()
    revoke(users, at=NOW)
    revoke(users, at=NOW - 600)
    assert refused(users, issued_at=NOW - 1)


def test_a_mark_lasts_until_every_token_of_before_has_ended():
    """And no longer: the table forgets it."""
    users, clock = build()
    revoke(users)
    clock.advance(LASTING + MARGIN - 1)
    assert users.not_before((ALICE,)) == NOW
    clock.advance(1)
    assert users.not_before((ALICE,)) < 0
    assert (len(users), users.all()) == (0, [])


def test_a_token_that_could_outlast_a_mark_is_refused():
    """Whether or not there is one: a day at most."""
    users, _ = build()
    users.require((ALICE,), NOW, NOW + LASTING)
    for issued_at in (NOW, None):
        with pytest.raises(SubjectTokenInvalid):
            users.require((ALICE,), issued_at, NOW + LASTING + 1)
        users.require((), issued_at, NOW + LASTING + 1)  # of an issuer that nobody speaks for


def test_where_the_table_is_full_everybody_is_refused_what_is_older(caplog):
    """It fails closed, and says so once: whose the forgotten mark was cannot be told any more."""
    users, clock = build(most=2)
    revoke(users, ALICE, NOW)
    for key, at in ((BOB, NOW + 10), (CAROL, NOW + 20)):
        clock.advance(10)
        revoke(users, key, at)
    assert len(users) == 2
    assert refused(users, ALICE, NOW)
    assert refused(users, bytes(31) + b"\xff", NOW)
    assert not refused(users, ALICE, NOW + 1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    clock.advance(LASTING + MARGIN)
    assert not refused(users, ALICE, NOW)


def test_whoever_follows_hears():
    """All there is; the marks are in force by then."""
    users, _ = build()
    follower = Follower()
    users.follow(follower)
    revocations = [Revocation("owner", BOB, NOW), Revocation("user", ALICE, NOW)]
    assert users.hear(revocations) == 2
    users.doubt(5.0)
    assert (follower.heard, follower.doubts) == (revocations, [5.0])
    users.leave(follower)
    assert users.hear(revocations) == 0


def test_a_process_that_begins_is_told_all():
    """Marks and, where there were too many, what is refused to everybody."""
    users, _ = build(most=2)
    for key, at in ((ALICE, NOW), (BOB, NOW + 10), (CAROL, NOW + 20)):
        revoke(users, key, at)
    other, _ = build()
    other.hear(users.all())
    assert [refused(other, key, NOW + 10) for key in (ALICE, BOB, CAROL)] == [False, True, True]
    assert refused(other, ALICE, NOW)
    assert users.latest(Revocation("user", BOB, NOW)) == Revocation("user", BOB, NOW + 10)
    assert users.latest(Revocation("owner", BOB, NOW)) == Revocation("owner", BOB, NOW)


def test_what_is_missing():
    """Of what others know, that which says more than ours."""
    users, _ = build()
    revoke(users)
    older, newer, other = (
        Revocation("user", key, at) for key, at in ((ALICE, NOW), (ALICE, NOW + 1), (BOB, NOW))
    )
    assert users.missing([older, newer, other]) == [newer, other]


def test_what_was_obtained_before_it_was_heard_counts_no_more():
    """By our own clock: the issuer's may be another."""
    users, clock = build()
    clock.advance(7)
    revoke(users, at=NOW - 100)
    assert users.heard_at((BOB, ALICE)) == NOW + 7
    assert users.heard_at((BOB,)) == 0


def test_marks_that_end_together_are_forgotten_a_few_at_a_time():
    """C-17: at most ``STEPS`` at once, and none of them counts meanwhile."""
    users, clock = build(most=10 * STEPS)
    for number in range(10 * STEPS):
        revoke(users, b"%032d" % number)
    clock.advance(LASTING + MARGIN)
    left = [len(users) for _ in range(10)]
    assert left == [STEPS * number for number in range(9, -1, -1)]


def test_the_oldest_of_many_marks_leaves(caplog):
    """C-17: they are in segments, of which none is copied for long; the oldest of all leaves, and the ended first."""
    users, clock = build(most=5000)
    for number in range(5000):
        revoke(users, b"%032d" % number, NOW + number)
        clock.advance(1)
    for number in range(5000, 5010):
        revoke(users, b"%032d" % number, NOW + number)
        clock.advance(1)
    assert [refused(users, bytes(32), NOW + issued_at) for issued_at in (9, 10)] == [True, False]
    assert len(caplog.records) == 1
    clock.advance(LASTING + MARGIN - 2000)
    assert len(users) == 5000 - STEPS
    revoke(users, ALICE, clock.time())
    assert len(users.all()) == 2000
    assert len(caplog.records) == 1


def test_ended_marks_make_room_before_the_floor_is_raised(caplog):
    """C-17: a full table of what has ended is not full."""
    users, clock = build(most=10)
    for number in range(10):
        revoke(users, b"%032d" % number)
    clock.advance(LASTING + MARGIN)
    assert users.all() == []
    revoke(users, ALICE, clock.time())
    assert not caplog.records
    assert [each.key for each in users.all()] == [ALICE]
