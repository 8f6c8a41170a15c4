"""The one way out for refusals."""

from __future__ import annotations

import json
import logging

import pytest

from proxy.errors import (
    ExchangeMisconfigured,
    NoRoute,
    Overloaded,
    ProxyError,
    SubjectTokenExpired,
    SubjectTokenMissing,
)
from proxy.observability.failures import Failures
from proxy.observability.metrics import Metrics
from proxy.observability.refusals import Refusals, answer_refusal
from tests.support.issuer import StillClock


def build() -> tuple[Refusals, Metrics, Failures]:
    metrics, failures = Metrics(), Failures()
    return Refusals(metrics, failures, StillClock()), metrics, failures


@pytest.mark.parametrize(
    ("error", "level", "rejected"),
    [
        (SubjectTokenMissing(), logging.INFO, 1),
        (SubjectTokenExpired("it ended"), logging.INFO, 1),
        (NoRoute("no path"), logging.INFO, 0),
        (Overloaded("full"), logging.WARNING, 0),
        (ExchangeMisconfigured("bad", remedy="mend it", oauth_error="invalid_client"), logging.WARNING, 0),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_a_refusal_is_answered_logged_counted_and_noted(
    error: ProxyError, level: int, rejected: int, caplog: pytest.LogCaptureFixture
):
    """O-03, O-04: in one step, so that none of the four is forgotten."""
    refusals, metrics, failures = build()
    with caplog.at_level(logging.INFO):
        status, _, body = refusals.answer(error, route="orders", request_id="r-1")
    assert status == error.status
    assert json.loads(body)["code"] == error.code
    (line,) = caplog.records
    assert (line.levelno, line.request_id, line.route, line.code) == (level, "r-1", "orders", error.code)
    assert (line.reason, line.remedy, line.oauth_error) == (str(error), error.remedy, error.oauth_error)
    assert metrics.rejected[error.code] == rejected
    (failure,) = failures
    assert (failure.code, failure.route, failure.request_id) == (error.code, "orders", "r-1")


def test_a_challenge_names_the_metadata():
    """A-05: where there is a document to name."""
    refusals, _, _ = build()
    _, headers, _ = refusals.answer(
        SubjectTokenMissing(), route="", request_id="r", resource_metadata="https://a/doc"
    )
    assert b'resource_metadata="https://a/doc"' in dict(headers)[b"www-authenticate"]


def test_the_reason_is_not_for_the_caller(caplog: pytest.LogCaptureFixture):
    """X-21: it stands in the log alone."""
    with caplog.at_level(logging.INFO):
        _, _, body = answer_refusal(NoRoute("canary"), "", "r-1")
    assert b"canary" not in body
    assert caplog.records[0].reason == "canary"
