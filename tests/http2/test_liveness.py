"""When a silent peer is asked, and when it is lost."""

from __future__ import annotations

import pytest

from proxy.http2.liveness import ANSWER, QUIET, SERVERS_PAUSE, Liveness

NOW = 1000.0


def test_silence_counts_from_the_last_word_or_the_first_stream():
    liveness = Liveness(NOW)
    assert liveness.deadline == NOW + QUIET
    liveness.hear(NOW + 5)
    assert liveness.deadline == NOW + 5 + QUIET
    liveness.begin(NOW + 500)
    assert liveness.deadline == NOW + 500 + QUIET


@pytest.mark.parametrize("answered_at", [NOW + 60, NOW + 61], ids=["in the same millisecond", "later"])
def test_who_is_asked_has_time_to_answer(answered_at: float):
    """uvloop's clock has no more than milliseconds, and stands still within one turn."""
    liveness = Liveness(NOW)
    liveness.ask(NOW + 60, untaken=17)
    assert liveness.asked
    assert liveness.deadline == NOW + 60 + ANSWER
    liveness.hear(answered_at)
    assert not liveness.asked
    assert liveness.deadline == answered_at + QUIET


@pytest.mark.parametrize(
    ("hears_stream", "pause"), [(None, SERVERS_PAUSE), ("before", 0.0), ("behind", 0.0)], ids=str
)
def test_servers_are_not_asked_too_often(hears_stream: str | None, pause: float):
    """What servers of gRPC's count: PINGs since they have sent HEADERS or DATA, be that ahead of the answer."""
    liveness = Liveness(NOW, pause=SERVERS_PAUSE)
    liveness.ask(NOW, untaken=17)
    if hears_stream == "before":
        liveness.hear_stream()
    liveness.hear(NOW + 1)
    if hears_stream == "behind":
        liveness.hear_stream()
    assert liveness.deadline == max(NOW + 1 + QUIET, NOW + pause)


@pytest.mark.parametrize(
    ("reads_later", "untaken", "lost"),
    [
        (False, 17, True),
        (False, 16, False),
        (False, 0, False),
        (True, 17, True),
        (True, 16, False),
        (True, 0, False),
    ],
)
def test_who_takes_what_was_sent_is_not_lost(*, reads_later: bool, untaken: int, lost: bool):
    liveness = Liveness(NOW, reads_later=reads_later)
    liveness.ask(NOW, untaken=17)
    assert liveness.is_lost(NOW + ANSWER, untaken) is lost


@pytest.mark.parametrize(("reads_later", "lost"), [(False, True), (True, False)], ids=["an API", "a caller"])
def test_who_has_taken_all_and_says_nothing(*, reads_later: bool, lost: bool):
    """An API is to answer; a caller may read as slowly as it likes, and is asked again."""
    liveness = Liveness(NOW, reads_later=reads_later)
    liveness.ask(NOW, untaken=17)
    liveness.is_lost(NOW + ANSWER, untaken=0)
    assert liveness.asked is lost
    if lost:
        assert liveness.is_lost(NOW + 2 * ANSWER, untaken=0)
    else:
        assert liveness.deadline == NOW + ANSWER + QUIET
