"""Security event tokens: those that Okta has published, and what they mean."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from proxy.authentication.security_event import parse_security_event, verify_security_event
from proxy.authentication.subject_identifier import Subject
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
