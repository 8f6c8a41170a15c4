"""The refusals of Okta and others, row by row with their literal bodies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.errors import (
    AuthorizationServerThrottled,
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    InteractionRequired,
    ProxyError,
    StepUpRequired,
)
from proxy.exchange.answer import Answer
from proxy.exchange.oauth_errors import classify, is_per_user

OKTA = Path(__file__).parents[3] / "shared" / "data" / "okta-oauth2-error-codes.json"


def make(status: int, error: object = None, description: str = "", **fields: str) -> Answer:
    document = {"error": error, "error_description": description}
    return Answer(status, fields, json.dumps(document).encode())


# Status, error, class, by whom and for how many seconds it is remembered; below it the description.
TABLE = """\
400 invalid_grant SubjectTokenRefused subject_token 30
    The 'subject_token' either expired or the session associated with it was terminated.
400 invalid_grant SubjectTokenRefused subject_token 30
    subject token is invalid
400 invalid_request SubjectTokenRefused subject_token 30
    'subject_token' is invalid.
400 invalid_request SubjectTokenRefused subject_token 30
    'subject_token' is invalid: the session associated with it is no longer active.
400 invalid_request SubjectTokenRefused subject_token 30
    'subject_token' is invalid: the user account is not active.
400 invalid_request SubjectTokenRefused subject_token 30
    'subject_token' is invalid: the user is not assigned to the client application.
400 invalid_request SubjectTokenRefused subject_token 30
    Invalid token
400 invalid_request ExchangeMisconfigured route 10
    'subject_token' is invalid: the token issuer is not allowed for this exchange.
400 invalid_request ExchangeDenied subject_token 30
    'subject_token' is invalid: no delegation policy authorizes this token.
400 invalid_request ExchangeMisconfigured route 10
    Only service clients may use on-behalf token exchange.
400 invalid_request ExchangeMisconfigured route 10
    The request is missing a required parameter.
400 invalid_request ExchangeMisconfigured subject_token 10
    something new
400 invalid_target ExchangeMisconfigured route 10
    Token Exchange requests must include a valid audience of the authorization server.
400 invalid_scope ExchangeMisconfigured route 10
    One or more scopes are not configured for the authorization server resource.
400 invalid_scope ExchangeMisconfigured route 10
    Can't request 'openid' scopes using the Token Exchange flow for a service app.
400 access_denied ExchangeDenied subject_token 30
    Policy evaluation succeeded, but all the requested scopes were rejected.
400 access_denied ExchangeDenied subject_token 30
    Some of the requested scopes were denied by the policy. Denied scopes: [orders:read].
400 access_denied ExchangeDenied subject_token 30
    User is not assigned to the client application.
401 access_denied ExchangeDenied subject_token 30
    Policy evaluation failed for this request, please check the policy configurations.
403 access_denied ExchangeDenied subject_token 30
    The resource owner or authorization server denied the request.
403 access_denied ExchangeMisconfigured route 10
    The 'subject_token' issuer isn't a trusted authorization server.
403 access_denied StepUpRequired nobody 0
    The authorization server requires the user to re-authenticate.
400 consent_required ExchangeDenied subject_token 30
    The following scopes require user consent: [orders:read].
401 insufficient_user_authentication StepUpRequired nobody 0
    The user authentication context is insufficient to perform the action.
400 interaction_required InteractionRequired subject_token 0
    The user must authenticate with the authorization server for the request to proceed.
400 interaction_required StepUpRequired nobody 0
    AADSTS50079: Due to a configuration change, you must enroll in multi-factor authentication.
401 invalid_client ExchangeMisconfigured route 10
    The client secret supplied for a confidential client is invalid.
400 unauthorized_client ExchangeMisconfigured route 10
    The client is not authorized to use the provided grant type. Configured grant types: [authorization_code].
400 unsupported_grant_type ExchangeMisconfigured route 10
    The authorization grant type is not supported by the authorization server.
400 invalid_grant ExchangeMisconfigured route 10
    The API Access Management SKU is not enabled. Contact your Account Executive.
429 invalid_grant AuthorizationServerThrottled nobody 0
    API call exceeded rate limit due to too many requests.
400 temporarily_unavailable AuthorizationServerUnavailable nobody 0
    The authorization server is currently unable to handle the request.
400 server_error AuthorizationServerUnavailable nobody 0
    The callback service returned an error.
403 server_error AuthorizationServerUnavailable nobody 0
    The requested feature is not enabled in this environment.
500 server_error AuthorizationServerUnavailable nobody 0
    The authorization server encountered an unexpected condition.
500 invalid_client AuthorizationServerUnavailable nobody 0
    a fault first, whatever it says
400 use_dpop_nonce ExchangeMisconfigured nobody 0
    Authorization server requires nonce in DPoP proof.
400 invalid_dpop_proof ExchangeMisconfigured nobody 0
    The DPoP proof JWT is issued in the future.
400 made_up ExchangeResponseInvalid nobody 0
    nobody knows
200 invalid_grant SubjectTokenRefused subject_token 30
    an error in a 200 is an error
"""
ROWS = list(zip(TABLE.splitlines()[::2], TABLE.splitlines()[1::2], strict=True))


@pytest.mark.parametrize(("row", "description"), ROWS, ids=[f"{row} {text:.50}" for row, text in ROWS])
def test_row(row, description):
    """X-20: each row of the table, by literal body: the class, and how long for whom it is remembered."""
    status, error, kind, remember_by, remember_for = row.split()
    refusal = classify(make(int(status), error, description.strip()))
    assert type(refusal).__name__ == kind
    assert (refusal.remember_by or "nobody", refusal.remember_for) == (remember_by, float(remember_for))
    assert refusal.oauth_error == error
    assert refusal.remedy or refusal.status in (502, 503)


MANAGEMENT = {
    "errorCode": "E0000047",
    "errorSummary": "API call exceeded rate limit due to too many requests.",
}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(
            Answer(429, {}, json.dumps(MANAGEMENT).encode()), AuthorizationServerThrottled, id="429 E0000047"
        ),
        pytest.param(Answer(429), AuthorizationServerThrottled, id="429 empty"),
        pytest.param(Answer(503, {}, b"<html>"), AuthorizationServerUnavailable, id="503 HTML"),
        pytest.param(Answer(408), AuthorizationServerUnavailable, id="408"),
        pytest.param(Answer(401, {}, b"<html>"), ExchangeMisconfigured, id="401 HTML"),
        pytest.param(Answer(404, {}, b"<html>"), ExchangeResponseInvalid, id="404 HTML"),
        pytest.param(Answer(302), ExchangeResponseInvalid, id="redirect"),
        pytest.param(Answer(200, {}, b"null"), ExchangeResponseInvalid, id="200 null"),
        pytest.param(
            Answer(400, {}, b'{"error": ["invalid_grant"]}'), ExchangeResponseInvalid, id="error list"
        ),
        pytest.param(Answer(400, {}, b'{"error": ""}'), ExchangeResponseInvalid, id="error empty"),
    ],
)
def test_answers_without_an_oauth_error(answer, kind):
    """F-02, C-18: gateways, wrong URLs and Okta's management shape; none is held against a whole route."""
    refusal = classify(answer)
    assert type(refusal) is kind
    assert refusal.remember_by != "route"


def test_a_limit_for_one_user_is_no_limit_for_all():
    """X-20: 429 invalid_grant is one user's; nobody is told to log in again."""
    refusal = classify(make(429, "invalid_grant", "API call exceeded rate limit due to too many requests."))
    assert is_per_user(refusal)
    assert (refusal.status, refusal.retry_after) == (503, 1.0)
    assert not is_per_user(classify(Answer(429)))


@pytest.mark.parametrize(
    ("status", "error"), [(400, "invalid_grant"), (403, "access_denied"), (400, "login_required")]
)
def test_without_a_user_nothing_is_the_users_fault(status, error):
    """Client credentials: what would be the user's 401 or 403 is ours to mend."""
    assert type(classify(make(status, error), has_user=False)) is ExchangeMisconfigured


@pytest.mark.parametrize(
    ("fields", "body", "acr_values", "max_age"),
    [
        ({}, {"acr_values": "urn:okta:loa:2fa:any phr", "max_age": 60}, ("urn:okta:loa:2fa:any", "phr"), 60),
        ({}, {"acr_values": "phr", "max_age": "300"}, ("phr",), 300),
        ({"www-authenticate": 'Bearer error="x", acr_values="phr phrh", max_age=5'}, {}, ("phr", "phrh"), 5),
        ({}, {}, (), None),
        ({}, {"acr_values": 'x"\r\nSet-Cookie: a', "max_age": -1}, (), None),
        ({}, {"acr_values": ["phr"], "max_age": "1" * 10}, (), None),
        ({}, {"acr_values": "x" * 1025, "max_age": True}, (), None),
    ],
)
def test_what_a_step_up_asks_for(fields, body, acr_values, max_age):
    """A-25: acr_values and max_age are passed on (RFC 9470), and nothing that could break a header."""
    document = {"error": "insufficient_user_authentication"} | body
    refusal = classify(Answer(401, fields, json.dumps(document).encode()))
    assert isinstance(refusal, StepUpRequired)
    assert (refusal.acr_values, refusal.max_age) == (acr_values, max_age)


CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}'


@pytest.mark.parametrize("error", ["interaction_required", "invalid_grant"])
@pytest.mark.parametrize(
    ("claims", "passed_on"),
    [
        (CLAIMS, True),
        ({"access_token": {}}, False),
        ("[]", False),
        ('{"a"', False),
        (" " * 5000 + "{}", False),
        (None, False),
    ],
)
def test_claims_that_entra_id_wants_to_see_again(error, claims, passed_on):
    """A claims challenge goes on as it came; what is no JSON object does not."""
    document = {"error": error, "error_description": "AADSTS53003: blocked.", "claims": claims}
    refusal = classify(Answer(400, {}, json.dumps(document).encode()))
    assert (isinstance(refusal, StepUpRequired) and refusal.claims == CLAIMS) is passed_on


OWN = "https://example.okta.com/oauth2/v1/sts/redirect?dataHandle=xyz"


@pytest.mark.parametrize(
    ("uri", "taken"),
    [
        (OWN, True),
        ("https://example.okta.com:443/", True),
        ("http://example.okta.com/", False),
        ("https://example.okta.com\\@evil.example/", False),
        ("https://example.okta.com@evil.example/", False),
        ("https://example.okta.com/\r\nSet-Cookie: a", False),
        ("https://example.okta.com/" + "a" * 2048, False),
        ("javascript:alert(1)", False),
        (["https://example.okta.com/"], False),
        (None, False),
    ],
)
def test_where_a_user_is_sent_for_consent(uri, taken):
    """https, and nothing that two readers could take for two hosts."""
    document = {"error": "interaction_required", "interaction_uri": uri}
    refusal = classify(Answer(400, {}, json.dumps(document).encode()))
    assert isinstance(refusal, InteractionRequired)
    assert refusal.interaction_uri == (uri if taken else None)


def test_a_short_secret_garbles_no_code():
    """X-20: what is decided is decided on what was said, not on what is shown."""
    refusal = classify(make(400, "invalid_grant", "subject token is invalid"), hide=["i", "subject"])
    assert refusal.oauth_error == "invalid_grant"
    assert "[hidden] token is invalid" in str(refusal)


@pytest.mark.parametrize("error", ["a b", "x" * 65, "é_e", "bad\r\n", "canary.secret", "5"])
def test_what_is_no_code_is_not_shown_as_one(error):
    """X-21: callers get to see the code."""
    refusal = classify(make(400, error), hide=["canary.secret"])
    assert refusal.oauth_error is None
    assert "canary" not in str(refusal)


def test_what_the_server_says_is_shown_safely():
    """X-14, X-21: no line break, no secret of ours and nothing like a token in the reason."""
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
    description = f"bad\r\n<b>{token} canary-secret " + "x" * 500
    reason = str(classify(make(400, "invalid_grant", description), hide=["canary-secret"]))
    assert not {"\r", "\n"} & set(reason)
    assert token not in reason
    assert "canary-secret" not in reason
    assert len(reason) < 500


def _okta_rows() -> list[dict]:
    return json.loads(OKTA.read_text())["errors"] if OKTA.exists() else []


@pytest.mark.skipif(not OKTA.exists(), reason="Okta's table is not at hand")
@pytest.mark.parametrize("error", sorted({row["errorCode"] for row in _okta_rows()}))
def test_every_published_error_of_okta(error):
    """X-20: each is one of ours; only what is about the user's token or login becomes the user's 401."""
    rows = [row for row in _okta_rows() if row["errorCode"] == error]
    assert {row["internalErrorCode"]: wrong for row in rows if (wrong := _find_faults(row))} == {}


def _find_faults(row: dict) -> list[str]:
    """What is wrong with our reading of that error."""
    error, said = row["errorCode"], row["errorDescription"].lower()
    refusal = classify(make(row["statusCode"], error, row["errorDescription"]))
    users = refusal.status == 401
    ours = {"invalid_client", "unauthorized_client", "invalid_scope", "invalid_target"}
    by_route = (refusal.status, refusal.remember_by) == (502, "route")
    rules = {
        "no error of ours": isinstance(refusal, ProxyError) and refusal.status in (401, 403, 502, 503),
        "the user's, although it is about us": not users
        or (error not in ours and "trusted" not in said and "sku" not in said),
        "the user's, although denied": not users or error != "access_denied" or "re-authenticate" in said,
        "not the route's": by_route or error != "invalid_client",
        "too many, and yet not busy": refusal.status == 503 or row["statusCode"] != 429,
        "without a remedy": bool(refusal.remedy) or not by_route,
    }
    return [fault for fault, holds in rules.items() if not holds]
