"""RFC 8693 §3: what kind of token is asked for, and what the answer says that it is (§2.2.1).

``access_token`` and ``jwt`` may be used as access tokens. Of what the IETF has registered beside them nothing may,
and its ``token_type`` is ``N_A``. What a vendor's own URI names may be one or the other: Okta answers ``Bearer`` for
``oauth-sts``, ``N_A`` for ``interclient_token``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from ..errors import ExchangeResponseInvalid

TokenType = Literal["Bearer", "DPoP", "N_A"]

TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:"
ID_JAG: Final = TOKEN_TYPE + "id-jag"  # draft-ietf-oauth-identity-assertion-authz-grant §3.1
ACCESS_TOKEN: Final = TOKEN_TYPE + "access_token"
JWT: Final = TOKEN_TYPE + "jwt"

FEDERATED_TOKEN: Final = "http://auth0.com/oauth/token-type/federated-connection-access-token"
VAULTED_SECRET: Final = "urn:okta:params:oauth:token-type:vaulted-secret"

_SECRETS: Final = ("apikey", "private", "password")  # of a vaulted secret: one of them, by its kind
_USABLE: Final = (ACCESS_TOKEN, JWT)
_SPELLINGS: Final[dict[str, TokenType]] = {"bearer": "Bearer", "dpop": "DPoP", "n_a": "N_A"}


def build_uri(name: str) -> str:
    """The URI of a token type: ``jwt`` is short for the IETF's, an absolute URI stands for itself."""
    return name if ":" in name else TOKEN_TYPE + name


def find_value(answer: Mapping[str, Any], requested: str | None) -> Any:
    """What the answer brings: its ``access_token``, whatever its type; a secret from Okta's vault stands elsewhere."""
    vaulted = answer.get("vaulted_secret") if requested == VAULTED_SECRET else None
    if not isinstance(vaulted, dict):
        return answer.get("access_token")
    return next((vaulted[name] for name in _SECRETS if vaulted.get(name)), None)


def parse_token_type(value: Any, requested: str | None) -> TokenType:
    """The answer's ``token_type``, if a token of the type ``requested`` can have it.

    Raises ExchangeResponseInvalid.
    """
    found = _SPELLINGS.get(value.lower()) if isinstance(value, str) else None
    if found == "N_A":
        if requested is None or requested == ACCESS_TOKEN:
            raise ExchangeResponseInvalid("the token_type is N_A, where an access token was asked for")
        return found
    if found is None:
        raise ExchangeResponseInvalid(
            "the token_type is neither Bearer nor DPoP" + ("" if _is_usable(requested) else ", nor N_A")
        )
    if requested == ID_JAG and found == "Bearer":
        return "N_A"  # Okta says Bearer of what it redeems itself; it is nobody's access token all the same
    if not _is_usable(requested):
        raise ExchangeResponseInvalid(
            f"the token_type is {found}, where {requested} is no access token and must be N_A"
        )
    return found


def check_issued_token_type(value: Any, requested: str | None) -> None:
    """``issued_token_type`` must be what was ``requested``; without a wish an access token's or a JWT's.

    An access token or JWT may come without one, for some servers leave it out. Raises ExchangeResponseInvalid.
    """
    if requested is None:
        if value is not None and value not in _USABLE:
            raise ExchangeResponseInvalid("the issued_token_type is neither an access token's nor a JWT's")
    elif value is None and requested not in _USABLE:
        raise ExchangeResponseInvalid(f"the answer has no issued_token_type, where {requested} was asked for")
    elif value is not None and value != requested:
        raise ExchangeResponseInvalid(
            f"the issued_token_type is not {requested}",
            remedy="Ask for a requested_token_type that the authorization server issues.",
        )


def _is_usable(requested: str | None) -> bool:
    return requested is None or requested in _USABLE or not requested.startswith(TOKEN_TYPE)
