"""A corpus of odd requests through the running proxy: what goes upstream is what RFC 9112 reads in them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from . import framing, heads, targets
from .shapes import Shape
from .stage import Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAPES = [*framing.SHAPES, *heads.SHAPES, *targets.SHAPES]
TRICKLED = [shape for shape in [*framing.SHAPES, *heads.SHAPES] if len(shape.data) < 1000][::3]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with staged() as on:
        yield on


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """F-38: no line of the log is an error, and none a traceback."""
    yield
    assert not [
        record.message for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_a_shape_is_refused_or_means_one_thing(stage: Stage, shape: Shape):
    """H-01, H-02, H-03, H-05, H-06, H-07, H-20, H-21, H-22, H-23, H-25, H-26, H-28, H-29, H-32, H-33, H-39, H-50, H-66,
    F-38: a refusal, or one well-formed upstream request for each valid one, with our token alone."""
    await stage.attack(shape)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("shape", TRICKLED, ids=str)
async def test_segments_change_nothing(stage: Stage, shape: Shape):
    """H-23, H-25: the same in small segments."""
    await stage.attack(shape, piece=41)
