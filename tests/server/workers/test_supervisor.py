"""The supervisor with workers that are not there, do not answer or refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.cache.revocation import Revocation
from proxy.config.models import Cache, Settings
from proxy.server.workers.channel import News

from ..test_serve import make_settings
from .fakes import FakePlace, make_supervisor


def load_settings() -> Settings:
    return replace(make_settings(workers=2), cache=Cache(max_entries=7))


async def test_what_one_worker_refuses_none_goes_by():
    """F-39: all have built it before any uses it; the failure says who refused."""
    places = FakePlace(1), FakePlace(2, prepare="ValueError: no certificate")
    loaded: list[Settings] = []
    supervisor = make_supervisor(*places, load=load_settings, loaded=loaded.append)
    with pytest.raises(RuntimeError, match="worker 2: ValueError: no certificate"):
        await supervisor.reload()
    assert [place.told for place in places] == [[("prepare", 7), ("abandon", 7)]] * 2
    assert loaded == []
    places[1].refusals.clear()
    await supervisor.reload()
    assert [place.told[2:] for place in places] == [[("prepare", 7), ("commit", 7)]] * 2
    assert loaded == [load_settings()]


async def test_a_worker_that_is_late_is_told_of():
    """It may still come round; whoever has sent the signal should look."""
    supervisor = make_supervisor(FakePlace(1), FakePlace(2, commit="no answer in time"), load=load_settings)
    with pytest.raises(RuntimeError, match="worker 2: no answer in time"):
        await supervisor.reload()


async def test_a_worker_that_begins_later_takes_no_signal_again():
    """It learns all that any other has heard and taken."""
    one, two = FakePlace(1), FakePlace(2)
    supervisor = make_supervisor(one, two)
    news = News((Revocation("user", b"a" * 32, 1.0),), (b"b" * 32,))
    supervisor._spread(one, 1, news)
    assert supervisor._read_news() == news
    await supervisor._background.aclose()
