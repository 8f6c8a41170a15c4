"""What is told of an exchange: flat, and nothing of the user but a digest."""

from __future__ import annotations

from hashlib import sha256

from proxy.authentication.subject_token import SubjectToken
from proxy.authentication.verifier import KnownToken
from proxy.errors import ExchangeDenied
from proxy.exchange.record import ExchangeRecord, find_private_values, hash_subject
from proxy.exchange.token_exchange import TokenRequest

ISSUER = "https://example.okta.com/oauth2/default"
CLAIMS = {
    "iss": ISSUER, "aud": "api://default", "scp": ["openid"], "sub": "alice", "email": "a@b.example", "exp": 9,
    "groups": ["staff", "admins"], "address": {"street": "x"},
}  # fmt: skip
ALICE = SubjectToken(
    value="eyJ.a.b",
    authorization_server="okta",
    issuer=ISSUER,
    subject="alice",
    kept_claims=CLAIMS,
    identity=b"i" * 32,
    expires_at=9.0,
)


def test_the_subject_is_a_digest():
    """O-04: 16 hexadecimal digits of SHA-256 over ``issuer|sub``, which whoever knows the subject can compute."""
    assert hash_subject(ALICE) == sha256(f"{ISSUER}|alice".encode()).hexdigest()[:16]


def test_private_values():
    """Texts of claims about the user; where a token is from and for is nobody's secret."""
    assert set(find_private_values(ALICE)) == {"alice", "a@b.example", "staff", "admins"}


def test_a_repr_names_nobody():
    """Nor does it show what a configuration sends along, which may be a secret."""
    shared = {
        name: getattr(ALICE, name)
        for name in ("value", "authorization_server", "issuer", "subject", "identity")
    }
    alice = KnownToken(
        **shared, kept_claims=CLAIMS, expires_at=9.0, actor=ALICE, scopes=frozenset(), acr=None, auth_time=None,
        issued_at=1.0, actors=("canary-agent",), ends_at=9.0, deadline=9.0, keys=None, generation=0,  # type: ignore[arg-type]
    )  # fmt: skip
    request = TokenRequest(
        "okta",
        "token_exchange",
        extra_parameters=(("code", "canary"),),
        authorization_details='[{"type": "canary"}]',
    )
    shown = repr(ExchangeRecord("okta", request, alice, None, "ok", 0.1, 1, 200, None, None))
    assert not [secret for secret in ("canary", "alice", "a@b.example", ALICE.value) if secret in shown]


def test_fields_are_flat():
    """O-04: issuer, hashed subject, client, audience, scopes, outcome and Okta's request id, by plain names."""
    record = ExchangeRecord(
        authorization_server="okta",
        request=TokenRequest(
            "okta",
            "token_exchange",
            audience=("api://orders",),
            scopes=("orders:read", "orders:write"),
            extra_parameters=(("secret", "not told"),),
        ),
        subject_token=ALICE,
        client_id="0oa1",
        outcome="exchange_denied",
        seconds=0.12345678,
        tries=1,
        status=400,
        okta_request_id="abc",
        error=ExchangeDenied("said no", remedy="ask", oauth_error="access_denied"),
    )
    assert ALICE.value not in repr(record)
    assert record.fields() == {
        "authorization_server": "okta",
        "issuer": ISSUER,
        "subject": hash_subject(ALICE),
        "client_id": "0oa1",
        "actors": None,
        "grant": "token_exchange",
        "leg": None,
        "audience": "api://orders",
        "resource": None,
        "scopes": "orders:read orders:write",
        "outcome": "exchange_denied",
        "tries": 1,
        "seconds": 0.123457,
        "status": 400,
        "oauth_error": "access_denied",
        "reason": "said no",
        "remedy": "ask",
        "okta_request_id": "abc",
    }
