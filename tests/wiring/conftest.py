"""Parts that end with their test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.config.models import Settings
from proxy.parts import Parts
from proxy.wiring.parts import build_parts
from tests.support.issuer import StillClock


@pytest.fixture
async def build() -> AsyncIterator[Any]:
    """Builds parts; whatever was built is retired at the end, the last one first."""
    built: list[Parts] = []

    def build(settings: Settings, before: Parts | None = None) -> Parts:
        built.append(build_parts(settings, clock=StillClock(), on_exchange=lambda _: None, before=before))
        return built[-1]

    yield build
    for parts in reversed(built):
        await parts.retire()
