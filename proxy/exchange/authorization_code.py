"""The Authorization Code grant with PKCE for a tool on the user's own machine (RFC 6749 §4.1, RFC 7636, RFC 8252).

Not here: the browser, the loopback listener, and the call to the token URL.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ..jose.encoding import encode_base64url
from .token_exchange import Form

REDIRECT_PATH = "/callback"


class SignInRefused(Exception):
    """The authorization server said no; ``str`` is its ``error`` (RFC 6749 §4.1.2.1), untrusted text."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One attempt: who asks, for what, where the answer goes, and the two secrets that tie it to us."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


def build_authorization_url(endpoint: str, sign_in: SignIn) -> str:
    """Where the browser goes; ``endpoint`` may have a query of its own (RFC 6749 §3.1)."""
    digest = hashlib.sha256(sign_in.verifier.encode()).digest()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": sign_in.client_id,
            "redirect_uri": sign_in.redirect_uri,
            "scope": " ".join(sign_in.scopes),
            "state": sign_in.state,
            "code_challenge": encode_base64url(digest),
            "code_challenge_method": "S256",
        },
        quote_via=quote,
    )
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"


def parse_redirect(target: str, sign_in: SignIn, issuer: str) -> str | None:
    """The code that a request for ``target`` brings; None where it is not the answer to ``sign_in``.

    Whatever does not know our ``state`` is none, nor is another issuer's (RFC 9207 §2.4). Raises SignInRefused.
    """
    path, _, query = target.partition("?")
    parameters = parse_qsl(query, max_num_fields=20) if query.count("&") < 20 else []
    answer = dict(parameters)
    if path != REDIRECT_PATH or len(answer) != len(parameters):
        return None
    if not hmac.compare_digest(answer.get("state", "").encode(), sign_in.state.encode()):
        return None
    if answer.get("iss", issuer) != issuer:
        return None
    if "error" in answer:
        raise SignInRefused(answer["error"])
    return answer.get("code")


def build_code_form(sign_in: SignIn, code: str) -> Form:
    """What redeems ``code`` at the token URL (RFC 6749 §4.1.3, RFC 7636 §4.5), without client authentication."""
    return [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", sign_in.redirect_uri),
        ("code_verifier", sign_in.verifier),
    ]
