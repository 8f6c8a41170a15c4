"""The token between two authorization servers: made by one, for the other to redeem (RFC 7523 §2.1).

An ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant §3.1) or the JWT of draft-ietf-oauth-identity-chaining §2.3.
Its signature is not checked here: it came from its maker over TLS, and the redeeming server will check it. What is
checked is that it is the one that was asked for, before anybody gets to see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..errors import ExchangeResponseInvalid
from .okta_refusals import CHECK_CONNECTION, CHECK_FIRST_AUDIENCE

ID_JAG_TYPE: Final = "oauth-id-jag+jwt"
# What is an access token by its own word (RFC 9068 §2.1, and Okta's) vouches for nobody at another server.
_ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/okta-internal-at+jwt"})


@dataclass(frozen=True, slots=True)
class FirstLeg:
    """What the first token must say: ``audience`` is who redeems it, ``client_id`` who we are there, if known."""

    kind: Literal["id_jag", "identity_chaining"]
    audience: tuple[str, ...]
    client_id: str | None = None


def check_first_token(
    header: Mapping[str, Any], claims: Mapping[str, Any], leg: FirstLeg, *, subject: str | None, now: float
) -> None:
    """Raises ExchangeResponseInvalid unless it is for ``leg`` and of ``subject``, where that is known."""
    _check_type(header, leg)
    _check_audience(claims, leg)
    if leg.kind == "id_jag" and leg.client_id is not None and claims.get("client_id") != leg.client_id:
        raise ExchangeResponseInvalid(
            "the ID-JAG's client_id is not ours at the server that redeems it", remedy=CHECK_CONNECTION
        )
    if subject is not None and claims.get("sub") != subject:
        raise ExchangeResponseInvalid(
            "subject_mismatch: the first token's sub is not the subject token's",
            remedy="Where the identity provider gives users another sub by design, set its check_subject: false.",
        )
    end = claims.get("exp")
    if isinstance(end, bool) or not isinstance(end, int | float) or not end > now:
        raise ExchangeResponseInvalid("the first token's exp is no time to come")


def refuse_first_token(header: Mapping[str, Any]) -> None:
    """Raises ExchangeResponseInvalid for an ID-JAG in the place of an access token."""
    if _read_type(header) == ID_JAG_TYPE:
        raise ExchangeResponseInvalid("the token is an ID-JAG, which no API may be shown")


def _check_type(header: Mapping[str, Any], leg: FirstLeg) -> None:
    typ = _read_type(header)
    if leg.kind == "id_jag" and typ != ID_JAG_TYPE:
        raise ExchangeResponseInvalid(f"the first token's typ is not {ID_JAG_TYPE}", remedy=CHECK_CONNECTION)
    if typ in _ACCESS_TOKEN_TYPES:
        raise ExchangeResponseInvalid("the first token's typ is an access token's")


def _check_audience(claims: Mapping[str, Any], leg: FirstLeg) -> None:
    """An ID-JAG is for one server alone: whoever else it names could redeem it as well."""
    audience = claims.get("aud")
    found = audience if isinstance(audience, list) else [audience]
    meant = set(leg.audience) <= set(map(str, found))
    if not meant or (leg.kind == "id_jag" and len(found) != len(leg.audience)):
        raise ExchangeResponseInvalid(
            "audience_mismatch: the first token's aud is not the server that redeems it",
            remedy=CHECK_FIRST_AUDIENCE,
        )


def _read_type(header: Mapping[str, Any]) -> str:
    """``typ`` as media types are compared (RFC 7515 §4.1.9)."""
    typ = str(header.get("typ", "")).lower()
    return typ if typ.startswith("application/okta") else typ.removeprefix("application/")
