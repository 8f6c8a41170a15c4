"""A token that takes two calls: one server makes a first token, which another redeems for the access token.

ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant) and identity chaining (draft-ietf-oauth-identity-chaining).
Okta counts the ID-JAGs of each user, so none is spent that could be saved: the first token is kept until its end and
redeemed again meanwhile, and nothing that goes on in the background asks for another.

Some servers want the scopes named again where the first token is redeemed (Keycloak), others refuse that, for the first
token has them (Okta's custom ones). So they are named, and if that is refused, not any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from cachetools import LRUCache

from ..authentication.subject_token import SubjectToken
from ..errors import (
    ExchangeMisconfigured,
    ExchangeResponseInvalid,
    ProxyError,
    SubjectTokenRefused,
    clear_tracebacks,
)
from ..exchange.token_exchange import AccessToken, TokenRequest
from .access_tokens import AccessTokens, TokenSource

_SCOPE_REFUSALS: Final = frozenset({"invalid_scope", "invalid_request"})
MOST_REFUSED: Final = 10_000  # first tokens whose hashes are remembered as refused, some 150 bytes each


class TwoLegs:
    """A ``TokenSource``: ``first`` are the first tokens, ``server`` is who redeems them."""

    def __init__(self, first: AccessTokens, server: TokenSource) -> None:
        self._first = first
        self._server = server
        self._names_scopes = True
        self._refused: LRUCache[bytes, None] = LRUCache(MOST_REFUSED)

    @property
    def client_identity(self) -> Sequence[str]:
        """Who we are at both servers, and what the first one is asked for."""
        return (self._first.digest.hex(), *self._server.client_identity)

    def holds_first(self, subject_token: SubjectToken) -> bool:
        """Whether the first token is at hand, so that another access token costs none."""
        return self._first.holds(subject_token)

    async def grant(self, request: TokenRequest, subject_token: SubjectToken | None) -> AccessToken:
        """Both calls, or the second alone. Raises ProxyError: the refusal of either."""
        if subject_token is None:
            raise ExchangeMisconfigured("two legs need a subject token")
        kept = self._first.cached(subject_token)
        if kept is not None:
            try:
                return await self._redeem(request, subject_token, kept)
            except SubjectTokenRefused as error:
                # A server may take each first token only once (RFC 7523 §3, jti). One that it has never taken
                # will not become good by being made anew.
                if _hash(kept) in self._refused or not self._first.reject(subject_token, kept):
                    raise
                clear_tracebacks(error)
        first = await self._first.obtain(subject_token)
        try:
            return await self._redeem(request, subject_token, first)
        except SubjectTokenRefused:
            self._refused[_hash(first)] = None
            raise

    async def _redeem(
        self, request: TokenRequest, subject_token: SubjectToken, first: AccessToken
    ) -> AccessToken:
        assertion = subject_token.exchanged_for(first.value)
        access_token = await self._redeem_by_scope(request, assertion)
        if access_token.value == subject_token.value:
            raise ExchangeResponseInvalid("the access_token is the subject token itself")
        return access_token

    async def _redeem_by_scope(self, request: TokenRequest, assertion: SubjectToken) -> AccessToken:
        """Naming the scopes, or, where the server will have none named, by those of the first token alone."""
        bare = replace(request, sends_scope=False)
        if not self._names_scopes:
            return await self._server.grant(bare, assertion)
        try:
            return await self._server.grant(request, assertion)
        except ExchangeMisconfigured as error:
            if not request.scopes or error.oauth_error not in _SCOPE_REFUSALS:
                raise
            try:
                access_token = await self._server.grant(bare, assertion)
            except ProxyError:
                raise error from None
            clear_tracebacks(error)
        self._names_scopes = False
        return access_token


def _hash(first: AccessToken) -> bytes:
    """What is left of a token that nobody needs any more."""
    return sha256(first.authorization).digest()
