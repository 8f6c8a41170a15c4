"""How the admin side says no."""

from __future__ import annotations

import json

import pytest

from proxy.admin.refusal import Refused
from tests.support.proxy import Running


def test_a_refusal_is_a_problem_document():
    """X-22: in plain words, with the fields that go along."""
    answer = Refused(429, "Too often.", {"retry-after": "3"}).answer()
    assert (answer.status, answer.headers) == (429, {"retry-after": "3"})
    assert answer.media_type == "application/problem+json"
    assert json.loads(answer.body) == {"status": 429, "title": "Refused", "detail": "Too often."}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/api/inspect", {"token": "canary", "route": "canary"}),
        ("/api/purge", {"issuer": "canary"}),
        ("/api/purge", {"issuer": "canary", "subject": ["canary"]}),
    ],
)
async def test_nothing_of_a_request_is_in_its_refusal(proxy: Running, path: str, document: object):
    """X-14: it might be a token that was put into the wrong field."""
    answer = await proxy.admin.post(path, json=document)
    assert answer.status_code >= 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "canary" not in answer.text
