"""Prometheus' text format, written while requests are served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from copy import copy
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

LINES: Final = 500  # in one turn of the event loop, some 2 ms: a hundred routes have 2,400


async def render(registry: Collector) -> bytes:
    """As ``generate_latest`` does, some lines in each turn of the event loop: of a busy one, many turns take long."""
    parts, written = [], 0
    for family in registry.collect():
        for first in range(0, max(1, len(family.samples)), LINES):
            some = copy(family)
            some.samples = family.samples[first : first + LINES]
            written += len(some.samples)
            if written > LINES:
                await asyncio.sleep(0)
                written = len(some.samples)
            text = generate_latest(_One(some))
            parts.append(text.split(b"\n", 2)[2] if first else text)  # its name and type are told once
    return b"".join(parts)


class _One(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family
