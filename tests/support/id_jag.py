"""First tokens as an identity provider makes them; nobody here checks their signature."""

from __future__ import annotations

from typing import Any

from .issuer import NOW, b64

CHAT = "https://auth.chat.example"  # who redeems them
OURS = "obo-at-chat"  # who we are there
ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"


def make_first_token(*, typ: str | None = "oauth-id-jag+jwt", **over: Any) -> str:
    """An ID-JAG of alice's; a claim that is None is left out."""
    header = {"alg": "RS256", "kid": "1", "typ": typ}
    claims = {
        "iss": "https://example.okta.com",
        "sub": "alice",
        "aud": CHAT,
        "client_id": OURS,
        "jti": "1",
        "iat": NOW,
        "exp": NOW + 300,
        "scope": "chat.read",
    }
    parts = ({n: v for n, v in part.items() if v is not None} for part in (header, {**claims, **over}))
    return ".".join([*(b64(part) for part in parts), "c2ln"])
