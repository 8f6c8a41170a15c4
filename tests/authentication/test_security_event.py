"""Security event tokens: those that Okta has published, and what they mean."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from proxy.authentication.global_revocation import parse_revocation
from proxy.authentication.security_event import parse_security_event, verify_security_event
from proxy.authentication.signal_token import SignalRefused
from proxy.authentication.subject_identifier import Org, Subject, build_identifier, parse_subjects
from proxy.jose.jwk import parse_jwk_set
from tests.support.issuer import make_body, make_jwk, make_rsa_key

# As Okta prints them in its reference for SSF transmitters, byte for byte.
SESSION_REVOKED = """
{
   "iss":"https://org.okta.com",
   "jti":"24c63fb56e5a2d77a6b512616ca9fa24",
   "iat":1615305159,
   "aud":"https://sp.example.com/caep",
   "events":{
      "https://schemas.openid.net/secevent/caep/event-type/session-revoked":{
        "subject":{
          "user":{
            "format":"iss_sub",
            "iss":"https://org.okta.com",
            "sub":"okta-user-id1"
            }
         },
        "reason_admin":{
          "en":"Policy Violation: C076E822"
         },
        "reason_user":{
          "en":"This device is no longer compliant."
         },
        "event_timestamp":1615304991643
      }
   }
}
"""
CREDENTIAL_CHANGE = """
{
  "iss": "https://transmitter.okta.com",
  "jti": "set-07efd930f0977e4fcc1149a733ce7f78",
  "iat": 1615305159,
  "aud": "https://receiverexample.com",
  "events": {
    "https://schemas.openid.net/secevent/caep/event-type/credential-change": {
      "subject": {
        "format": "iss_sub",
        "iss": "https://transmitter.okta.com",
        "sub": "okta-user-id1"
      },
      "credential_type": "%s",
      "change_type": "%s",
      "friendly_name": "%s",
      "initiating_entity": "user",
      "event_timestamp": 1615304991643
    }
  }
}
"""
CHANGES = [  # user.mfa.factor.* and user.account.*
    ("fido2-roaming", "create", "FIDO_WEBAUTHN"),
    ("x509", "delete", "SMART_CARD"),
    ("ALL_FACTORS", "revoke", "ALL_FACTORS"),
    ("OKTA_VERIFY_PUSH", "update", "OKTA_VERIFY_PUSH"),
    ("phone-sms", "update", "SMS_FACTOR"),
    ("DUO_SECURITY", "update", "DUO_SECURITY"),
    ("password", "revoke", "PASSWORD_AS_FACTOR"),
]
HAPPENED_AT = 1615304991.643
NOW = 1615305160.0
KEY = make_rsa_key("org")
(SIGNING_KEY,) = parse_jwk_set(make_body(make_jwk(KEY, kid="k1", use="sig", alg="RS256"))).keys


def sign(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEY, "RS256", {"typ": "secevent+jwt", "kid": "k1"})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SESSION_REVOKED, "session_revoked"),
        *((CREDENTIAL_CHANGE % change, "credential_change") for change in CHANGES),
    ],
)
def test_what_okta_publishes(text: str, kind: str):
    """Its times are milliseconds; of a session it names the user in a subject without a format."""
    claims = json.loads(text)
    token = parse_security_event(sign(claims), issuer=claims["iss"], audience=claims["aud"], now=NOW)
    (event,) = verify_security_event(token, SIGNING_KEY)
    assert (event.kind, event.happened_at) == (kind, HAPPENED_AT)
    assert event.subjects == (Subject("sub", "okta-user-id1", claims["iss"]),)


@pytest.mark.parametrize(
    ("changes", "happened_at"),
    [
        ({"event_timestamp": 1615304991}, 1615304991),
        ({"event_timestamp": None}, 1615305159),
        ({"event_timestamp": "yesterday"}, 1615305159),
        ({"event_timestamp": -1}, 1615305159),
        ({"event_timestamp": 1615305159 + 900}, 1615305159),
        ({"event_timestamp": None, "toe": 1615305000}, 1615305000),
    ],
)
def test_when_it_happened(changes: dict[str, Any], happened_at: float):
    """Never later than it was told: nobody's future tokens are refused."""
    claims = json.loads(SESSION_REVOKED)
    (payload,) = claims["events"].values()
    payload["event_timestamp"] = changes["event_timestamp"]
    claims |= {"toe": changes["toe"]} if "toe" in changes else {}
    token = parse_security_event(sign(claims), issuer=claims["iss"], audience=claims["aud"], now=NOW)
    (event,) = verify_security_event(token, SIGNING_KEY)
    assert event.happened_at == happened_at


@pytest.mark.parametrize(
    ("value", "subjects"),
    [
        ({"format": "email", "email": "u@x"}, [("email", "u@x")]),
        ({"format": "opaque", "id": "1"}, [("id", "1")]),
        ({"format": "account", "uri": "acct:u@x"}, [("uri", "acct:u@x")]),
        ({"format": "phone_number", "phone_number": "+1"}, [("phone_number", "+1")]),
        ({"format": "complex", "user": {"format": "email", "email": "u@x"}, "tenant": {}}, [("email", "u@x")]),
        ({"user": {"format": "email", "email": "u@x"}}, [("email", "u@x")]),
        (
            {"format": "aliases", "identifiers": [{"format": "email", "email": "a"}, {"format": "opaque", "id": "1"}]},
            [("email", "a"), ("id", "1")],
        ),
    ],
)  # fmt: skip
def test_subjects(value: Any, subjects: list[tuple[str, str]]):
    """RFC 9493 §3.2, and complex ones."""
    assert [each[:2] for each in parse_subjects(value)] == subjects


@pytest.mark.parametrize(
    "value",
    [
        None, [], "u@x", {}, {"format": None}, {"format": []}, {"format": "email"}, {"format": "email", "email": 1},
        {"format": "email", "email": ""}, {"format": "email", "email": "a\nb"}, {"format": "email", "email": "x" * 256},
        {"format": "iss_sub", "sub": "1"}, {"format": "iss_sub", "iss": 1, "sub": "1"}, {"format": "complex"},
        {"format": "complex", "user": None}, {"format": "complex", "user": {"format": "complex", "user": {}}},
        {"user": {"user": {"format": "email", "email": "u@x"}}}, {"format": "aliases", "identifiers": []},
        {"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]},
        {"format": "aliases", "identifiers": [{"format": "email", "email": "u@x"}] * 17}, {"format": "ip", "ip": "::1"},
    ],
)  # fmt: skip
def test_subjects_that_name_nobody(value: Any):
    """What cannot be read in one way only, or without end."""
    with pytest.raises(ValueError, match=r"subject|aliases"):
        parse_subjects(value)


ORG = Org(
    "https://o", frozenset({"https://o/oauth2/a"}), {"sub": "uid", "email": "login"}, lambda *_: b"owner"
)


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (Subject("sub", "1", "https://o"), build_identifier("https://o", "sub", "1")),
        (Subject("sub", "1", "https://o/oauth2/a"), b"owner"),
        (Subject("sub", "1", "https://o/oauth2/b"), None),
        (Subject("email", "U@X"), build_identifier("https://o", "email", "u@x")),
        (Subject("id", "1"), None),
    ],
)
def test_both_sides_meet(subject: Subject, found: bytes | None):
    """By the org's terms, or by the very subject of a token; addresses in any case."""
    assert ORG.find(subject) == found
    known = ORG.identify({"uid": "1", "login": "u@X", "sub": "x"})
    assert (found in known) == (found not in (None, b"owner"))


def test_claims_that_are_no_text_name_nobody():
    """Nor those that are not there."""
    assert ORG.identify({"uid": 1, "login": ["u@x"]}) == ()
    assert ORG.identify({}) == ()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"sub_id": {}, "sub_id": {}}', b'{"subject": 1}', b"\xff"]
)
def test_bodies_of_revocations(body: bytes):
    """One subject, read in one way."""
    with pytest.raises(SignalRefused):
        parse_revocation(body)
