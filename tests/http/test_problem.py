"""The answer to a refused request: fixed texts, the right challenge, nothing of the reason."""

from __future__ import annotations

import json

import jsonschema
import pytest

from proxy import errors
from proxy.errors import ProxyError
from proxy.http.bearer import BEARER_ALONE, Schemes
from proxy.http.problem import build_problem

SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "pattern": "^urn:obo-proxy:error:[a-z_]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "oauth_error": {"type": "string"},
        "interaction_uri": {"type": "string", "pattern": "^https://"},
    },
}


def leaves(cls: type[ProxyError]) -> list[type[ProxyError]]:
    below = cls.__subclasses__()
    return [leaf for one in below for leaf in leaves(one)] if below else [cls]


# The table of what callers may rely on: code, status, challenge error (None: no challenge).
TABLE = {
    "no_route": (404, None),
    "path_refused": (400, None),
    "cross_site_refused": (403, None),
    "subject_token_missing": (401, ""),
    "authorization_malformed": (400, "invalid_request"),
    "issuer_unknown": (401, "invalid_token"),
    "subject_token_invalid": (401, "invalid_token"),
    "subject_token_expired": (401, "invalid_token"),
    "proof_invalid": (401, "invalid_dpop_proof"),
    "proof_nonce_required": (401, "use_dpop_nonce"),
    "proof_uncheckable": (503, None),
    "scope_insufficient": (403, "insufficient_scope"),
    "subject_token_refused": (401, "invalid_token"),
    "step_up_required": (401, "insufficient_user_authentication"),
    "exchange_denied": (403, "insufficient_scope"),
    "interaction_required": (403, "interaction_required"),
    "exchange_misconfigured": (502, None),
    "exchange_response_invalid": (502, None),
    "authorization_server_throttled": (503, None),
    "authorization_server_unavailable": (503, None),
    "authorization_server_timeout": (504, None),
    "upstream_unreachable": (502, None),
    "upstream_protocol_error": (502, None),
    "upstream_timeout": (504, None),
    "request_too_large": (413, None),
    "header_too_large": (431, None),
    "target_too_long": (414, None),
    "request_timeout": (408, None),
    "bad_request": (400, None),
    "method_not_allowed": (405, None),
    "expectation_failed": (417, None),
    "not_implemented": (501, None),
    "version_not_supported": (505, None),
    "loop_detected": (508, None),
    "deadline_exceeded": (504, None),
    "overloaded": (503, None),
}


def test_every_refusal_has_its_row():
    """The error tree and the table name the same codes."""
    assert {leaf.code for leaf in leaves(ProxyError)} == set(TABLE)


@pytest.mark.parametrize("error", leaves(ProxyError), ids=lambda leaf: leaf.code)
def test_answers_follow_the_table(error):
    """X-22: RFC 9457, no-store, RFC 6750's challenge on 401 and 403, Retry-After on 503, and no reason."""
    status, headers, body = build_problem(
        error("canary-reason", remedy="canary-remedy"),
        request_id="r-1",
        schemes=Schemes(dpop=("ES256",)) if error.challenge_scheme else BEARER_ALONE,
    )
    fields = dict(headers)
    problem = json.loads(body)
    jsonschema.validate(problem, SCHEMA)
    expected_status, challenge = TABLE[error.code]
    assert (status, problem["status"], problem["code"]) == (expected_status, expected_status, error.code)
    assert fields[b"content-type"] == b"application/problem+json"
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"content-length"] == b"%d" % len(body)
    assert b"canary" not in body + b"".join(value for _, value in headers)
    assert (b"retry-after" in fields) is (status == 503)
    if challenge is None:
        assert b"www-authenticate" not in fields
    else:
        given = fields[b"www-authenticate"]
        assert given.startswith((error.challenge_scheme or "Bearer").encode() + b" ")
        assert (b"error=" in given) is bool(challenge)
        assert challenge.encode() in given


@pytest.mark.parametrize(("seconds", "field"), [(None, b"1"), (0.2, b"1"), (2.1, b"3"), (120, b"120")])
def test_retry_after_is_whole_seconds(seconds, field):
    """RFC 9110 §10.2.3: at least one second, rounded up."""
    error = errors.AuthorizationServerThrottled(retry_after=seconds)
    assert dict(build_problem(error, request_id="r")[1])[b"retry-after"] == field


def test_the_authorization_servers_error_code_is_passed_on():
    """``oauth_error`` says which of its errors it was, and no more."""
    body = build_problem(errors.ExchangeDenied(oauth_error="access_denied"), request_id="r")[2]
    assert json.loads(body)["oauth_error"] == "access_denied"


def test_challenges_name_the_resource_metadata():
    """A-05: RFC 9728 §5.1."""
    headers = build_problem(errors.SubjectTokenMissing(), request_id="r", resource_metadata="https://x/y")[1]
    assert b'resource_metadata="https://x/y"' in dict(headers)[b"www-authenticate"]


def test_where_to_consent():
    """interaction_required says where, if anywhere."""
    told = errors.InteractionRequired("secret reason", interaction_uri="https://as.example/consent?h=1")
    for error, uri in ((told, "https://as.example/consent?h=1"), (errors.InteractionRequired(), None)):
        status, _, body = build_problem(error, request_id="1")
        document = json.loads(body)
        jsonschema.validate(document, SCHEMA)
        assert (status, document.get("interaction_uri")) == (403, uri)
