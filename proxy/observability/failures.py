"""What was refused lately, for the person who looks: each kind once, how often, and how to mend it.

A flood of one kind takes one place, so that it hides none of the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import ProxyError

SIZE = 100  # kinds; those that have not been seen for longest go first


@dataclass(frozen=True, slots=True)
class Failure:
    """Refusals of one kind: ``reason``, ``request_id`` and ``last_at`` (epoch s) are those of the last one."""

    code: str
    status: int
    title: str
    route: str
    oauth_error: str | None
    reason: str
    remedy: str
    request_id: str
    count: int
    first_at: float
    last_at: float


class Failures:
    """The last kinds of refusals; iterated from the latest to the oldest."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._kinds: OrderedDict[tuple[str, str, str], Failure] = OrderedDict()

    def __iter__(self) -> Iterator[Failure]:
        return reversed(tuple(self._kinds.values()))

    def __len__(self) -> int:
        return len(self._kinds)

    def note(self, error: ProxyError, *, route: str, request_id: str, now: float) -> None:
        """A request to ``route`` (empty: none matched) was refused at ``now``, epoch seconds."""
        # Reasons may quote what a caller sent; a remedy is ours, and tells causes apart as well.
        kind = (error.code, route, error.own_remedy or str(error))
        before = self._kinds.pop(kind, None)
        latest = Failure(
            code=error.code,
            status=error.status,
            title=error.title,
            route=route,
            oauth_error=error.oauth_error,
            reason=str(error),
            remedy=error.remedy,
            request_id=request_id,
            count=1,
            first_at=now,
            last_at=now,
        )
        if before is not None:
            latest = replace(latest, count=before.count + 1, first_at=before.first_at)
        self._kinds[kind] = latest
        if len(self._kinds) > self._size:
            self._kinds.popitem(last=False)
