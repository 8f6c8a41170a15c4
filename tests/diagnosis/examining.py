"""Diagnoses of the demo's tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.diagnosis.diagnose import Diagnosis, diagnose
from proxy.parts import Parts
from proxy.runtime import SystemClock
from proxy.wiring.parts import build_parts

CLOCK = SystemClock()


@asynccontextmanager
async def building(raw: dict[str, Any]) -> AsyncIterator[Parts]:
    parts = build_parts(parse_settings(raw), clock=CLOCK, on_exchange=lambda _: None)
    try:
        yield parts
    finally:
        await parts.retire()


async def examine(demo: Demo, token: str | None, **changes: Any) -> Diagnosis:
    """The diagnosis of ``token`` on the route ``orders``, changed."""
    raw = demo.settings()
    raw["routes"][0] |= changes
    async with building(raw) as parts:
        return await diagnose(token, parts.settings.routes[0], parts, CLOCK)


def verdicts(diagnosis: Diagnosis) -> dict[str, str]:
    return {finding.step: finding.verdict for finding in diagnosis.findings}
