"""The last hour in samples of ten seconds: what changed in the counters, as plain integers.

Nothing is done for a request: the counters are there anyway, and are read when a sample is due.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from ..runtime import Clock
from .metrics import BOUNDS, Gauges, Histogram, Metrics

PERIOD = 10.0  # s
LENGTH = 360  # samples: one hour
_NONE = (0,) * (len(BOUNDS) + 1)


class Counts(NamedTuple):
    """What was counted in some time; the last two by bucket of seconds, as in ``metrics``."""

    requests: int = 0
    refused: int = 0  # 4xx
    failed: int = 0  # 5xx
    exchanges: int = 0
    failed_exchanges: int = 0
    hits: int = 0
    lookups: int = 0
    request_seconds: tuple[int, ...] = _NONE
    exchange_seconds: tuple[int, ...] = _NONE

    def plus(self, other: Counts) -> Counts:
        return Counts(*map(_add, self, other))

    def since(self, before: Counts) -> Counts:
        """What has been added; all of it where a counter began anew, as after a reload."""
        return Counts(*map(_subtract, self, before))


@dataclass(frozen=True, slots=True)
class Sample:
    """``seconds`` that ended at ``at`` (epoch s): what was counted, and the cache's ``entries`` at their end."""

    at: float
    seconds: float
    counts: Counts
    entries: int


class History:
    """Samples of ``metrics`` and the running parts' gauges, from ``start`` to ``stop``."""

    def __init__(self, metrics: Metrics, read_gauges: Callable[[], Gauges], clock: Clock) -> None:
        self.samples: deque[Sample] = deque(maxlen=LENGTH)
        self._metrics = metrics
        self._read_gauges = read_gauges
        self._clock = clock
        self._seen = Counts()
        self._seen_at = clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PERIOD, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def sample(self) -> None:
        """Keep what was counted since the last sample."""
        latest = self._latest()
        self.samples.append(latest)
        self._seen = read_counts(self._metrics, self._read_gauges().lookups)
        self._seen_at = self._clock.monotonic()

    def recent(self, samples: int = 6) -> Sample:
        """The last minute, up to now."""
        kept = list(self.samples)[-(samples - 1) :] if samples > 1 else []
        return merge([*kept, self._latest()])

    def points(self, size: int = 3) -> list[Sample]:
        """The hour in points of ``size`` samples, the oldest first; the last may be shorter."""
        kept = list(self.samples)
        return [merge(kept[start : start + size]) for start in range(0, len(kept), size)]

    def _latest(self) -> Sample:
        gauges = self._read_gauges()
        return Sample(
            at=self._clock.time(),
            seconds=self._clock.monotonic() - self._seen_at,
            counts=read_counts(self._metrics, gauges.lookups).since(self._seen),
            entries=gauges.entries,
        )

    def _tick(self) -> None:
        self.start()
        self.sample()


def read_counts(metrics: Metrics, lookups: Mapping[str, int]) -> Counts:
    """Everything counted so far."""
    requests, exchanges = metrics.requests, metrics.exchanges
    return Counts(
        requests=requests.total(),
        refused=sum(count for (_, status), count in requests.items() if 400 <= status < 500),
        failed=sum(count for (_, status), count in requests.items() if status >= 500),
        exchanges=exchanges.total(),
        failed_exchanges=sum(count for (_, outcome, *_), count in exchanges.items() if outcome != "ok"),
        hits=lookups.get("hit", 0),
        lookups=sum(lookups.values()),
        request_seconds=_add_up(metrics.request_seconds),
        exchange_seconds=_add_up(metrics.exchange_seconds),
    )


def merge(samples: Sequence[Sample]) -> Sample:
    """One sample of all their time; at least one is needed."""
    counts = Counts()
    for sample in samples:
        counts = counts.plus(sample.counts)
    last = samples[-1]
    return Sample(last.at, sum(sample.seconds for sample in samples), counts, last.entries)


def estimate_quantile(buckets: Sequence[int], share: float) -> float | None:
    """Within a bucket evenly spread, as Prometheus' ``histogram_quantile``; the last has no upper end."""
    wanted = share * sum(buckets)
    if not wanted:
        return None
    for count, (lower, upper) in zip(buckets, pairwise((0.0, *BOUNDS)), strict=False):
        if count and wanted <= count:
            return lower + (upper - lower) * wanted / count
        wanted -= count
    return BOUNDS[-1]


def _add(one: Any, other: Any) -> Any:
    return tuple(map(_add, one, other)) if isinstance(one, tuple) else one + other


def _subtract(now: Any, then: Any) -> Any:
    if isinstance(now, tuple):
        return tuple(map(_subtract, now, then))
    return now - then if now >= then else now


def _add_up(histograms: Mapping[str, Histogram]) -> tuple[int, ...]:
    return tuple(map(sum, zip(_NONE, *(one.counts for one in histograms.values()), strict=True)))
