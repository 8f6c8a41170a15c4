"""What is counted, as plain integers; ``prometheus`` turns them into Prometheus' text when it is asked.

Labels are names from the configuration, codes and statuses: never anything that a caller chose.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from ..authentication.event_types import ENDING, OTHER, STREAM
from ..errors import ExchangeError, ProxyError, StepUpRequired, SubjectTokenError, SubjectTokenRefused
from ..signals.record import GLOBAL_REVOCATION

# In seconds. Told to be a sequence, it is one object; compiled, a tuple of so many would be made anew at each use.
BOUNDS: Final[Sequence[float]] = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)

RELOADS: Final = ("success", "failure")
HTTP2: Final = ("grpc", "other")
DEPARTURES: Final = ("before_response", "during_response")
# What an exchange may end with but a token.
_REFUSALS: Final[tuple[type[ProxyError], ...]] = (
    *ExchangeError.__subclasses__(),
    SubjectTokenRefused,
    StepUpRequired,
)
_OUTCOMES: Final = ("ok", *(error.code for error in _REFUSALS))


# Signals by what they tell and what became of them; those that were not read tell nothing.
SIGNALS: Final = (
    *(
        (signal, outcome)
        for signal in (*dict.fromkeys(ENDING.values()), GLOBAL_REVOCATION)
        for outcome in ("ended", "owed")
    ),
    *((signal, "acknowledged") for signal in (*dict.fromkeys(STREAM.values()), OTHER)),
    *((signal, outcome) for signal in ("", GLOBAL_REVOCATION) for outcome in ("refused", "limited")),
)


class Histogram:
    """Counts of seconds by bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus wants them."""
        cumulated = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            cumulated += count
            found.append((bound, cumulated))
        return found


class Metrics:
    """The counters of one process. Routes that none matched are counted under an empty name."""

    def __init__(self) -> None:
        self._requests: dict[str, dict[int, int]] = {}  # by route, then by status
        self.asked: Counter[tuple[str, str, int]] = Counter()  # of these, those that a gateway asked about
        self.request_seconds: dict[str, Histogram] = {}
        # By server and outcome; and by leg, 1 or 2, where a token takes two calls.
        self.exchanges: Counter[tuple[str, ...]] = Counter()
        self.exchange_seconds: dict[str, Histogram] = {}
        self.rejected: Counter[str] = Counter()
        self.reloads: Counter[str] = Counter()
        self.broken_off: Counter[str] = Counter()  # responses cut, by route
        self.signals: Counter[tuple[str, str, str]] = Counter()
        self.departures: Counter[str] = Counter()  # callers who left, by phase
        self.http2: Counter[str] = Counter()  # requests that came by HTTP/2, by what they are
        self.loop_lag = Histogram()

    @property
    def requests(self) -> Counter[tuple[str, int]]:
        """Those that have ended, by route and status."""
        return Counter(
            {
                (route, status): count
                for route, counts in self._requests.items()
                for status, count in counts.items()
            }
        )

    def announce(
        self,
        authorization_servers: Collection[str],
        routes: Collection[str],
        legs: Collection[tuple[str, int]] = (),
        orgs: Collection[str] = (),
        *,
        http2: bool = False,
    ) -> None:
        """Begin what may be counted with zero: Prometheus sees no increase in a series that begins with one.

        ``legs`` are authorization servers with the leg that is asked of them, ``orgs`` those whose signals are taken.
        """
        for org in orgs:
            for series in SIGNALS:
                self.signals[(org, *series)] += 0
        for outcome in _OUTCOMES:
            for server in authorization_servers:
                self.exchanges[server, outcome] += 0
            for server, leg in legs:
                self.exchanges[server, outcome, str(leg)] += 0
        for route in routes:
            self.broken_off[route] += 0
        for counter, names in (
            (self.rejected, (error.code for error in SubjectTokenError.__subclasses__())),
            (self.reloads, RELOADS),
            (self.departures, DEPARTURES),
            (self.http2, HTTP2 if http2 else ()),
        ):
            for name in names:
                counter[name] += 0

    def count_request(self, route: str, status: int, seconds: float | None, dialect: str = "") -> None:
        """A request has ended; ``status`` is 499 where the caller left before an answer.

        ``seconds`` is None for what was refused before all of its head was here: that time is the caller's.
        ``dialect`` is how a gateway asked about it; empty where it was ours to forward.
        """
        counts = self._requests.get(route)
        if counts is None:
            counts = self._requests[route] = {}
        counts[status] = counts.get(status, 0) + 1
        if dialect:
            self.asked[dialect, route, status] += 1
        if seconds is None:
            return
        histogram = self.request_seconds.get(route)
        if histogram is None:
            histogram = self.request_seconds[route] = Histogram()
        histogram.observe(seconds)

    def count_exchange(
        self, authorization_server: str, outcome: str, seconds: float, *, leg: int | None = None
    ) -> None:
        """A call at a token URL has ended; ``outcome`` is ``ok`` or the code of its error."""
        self.exchanges[authorization_server, outcome, *(() if leg is None else (str(leg),))] += 1
        self.exchange_seconds.setdefault(authorization_server, Histogram()).observe(seconds)


class ServerGauges(NamedTuple):
    """What is known of one authorization server; seconds and counts, None where nothing is known."""

    breaker_open: bool = False
    held_for: float = 0.0
    in_flight: int = 0
    waiting: int = 0
    rate_limit_remaining: int | None = None
    keys_age: float | None = None
    keys_failures: int = 0
    assertion_left: float | None = None
    certificate_left: float | None = None


class Gauges(NamedTuple):
    """What the running parts count themselves.

    ``lookups`` in the token cache by result, ``entries`` in it, ``connections`` by ``(upstream, state)``,
    ``servers`` by name; ``shared_failures`` and ``revocations_`` are None where no cache is shared,
    ``user_revocations`` where nobody tells of any.
    """

    lookups: Mapping[str, int]
    entries: int
    connections: Mapping[tuple[str, str], int]
    evictions: int = 0
    renewals: int = 0
    shared_failures: int | None = None
    revocations_owed: int | None = None
    revocations_unheard_for: float | None = None
    user_revocations: int | None = None
    servers: Mapping[str, ServerGauges] = {}
