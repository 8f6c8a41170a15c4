"""The one way out for refusals: answered, logged with their remedy, counted and noted.

The app refuses this way, and so does the server what never reaches the app.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import ProxyError, SubjectTokenError, clear_tracebacks
from ..http.bearer import BEARER_ALONE, Schemes
from ..http.grpc import build_refusal
from ..http.problem import Problem, build_problem
from ..runtime import Clock
from .failures import Failures
from .metrics import Metrics

log = logging.getLogger(__name__)


class Refusals:
    """Answers refusals; ``metrics`` and ``failures`` are told of them."""

    def __init__(self, metrics: Metrics, failures: Failures, clock: Clock) -> None:
        self._metrics = metrics
        self._failures = failures
        self._clock = clock

    def answer(
        self,
        error: ProxyError,
        *,
        route: str,
        request_id: str,
        resource_metadata: str | None = None,
        scopes: Sequence[str] = (),
        schemes: Schemes = BEARER_ALONE,
        grpc: bool = False,
    ) -> Problem:
        """Status, header fields and body; ``route`` is empty where none is known. ``grpc``: for a call of gRPC's."""
        if isinstance(error, SubjectTokenError):
            self._metrics.rejected[error.code] += 1
        self._failures.note(error, route=route, request_id=request_id, now=self._clock.time())
        problem = answer_refusal(error, route, request_id, resource_metadata, scopes, schemes)
        return build_refusal(error, problem) if grpc else problem


def answer_refusal(
    error: ProxyError,
    route: str,
    request_id: str,
    resource_metadata: str | None = None,
    scopes: Sequence[str] = (),
    schemes: Schemes = BEARER_ALONE,
) -> Problem:
    """As ``Refusals.answer``, but only logged: for the admin side, of which nothing is counted."""
    log.log(
        logging.WARNING if error.status >= 500 else logging.INFO,
        "request refused",
        extra={
            "request_id": request_id,
            "route": route,
            "status": error.status,
            "code": error.code,
            "oauth_error": error.oauth_error,
            "reason": str(error),
            "remedy": error.remedy,
        },
    )
    clear_tracebacks(error)
    return build_problem(
        error, request_id=request_id, resource_metadata=resource_metadata, scopes=scopes, schemes=schemes
    )
