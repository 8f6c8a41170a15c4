"""One authorization server's token URL (RFC 6749 §3.2): who asks there, who acts, and what a refusal means.

Not here: the form (``token_exchange``), what the answer brings (``token_response``), how often a call is tried
(``endpoint``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import Any

from ..authentication.subject_token import SubjectToken
from ..config import models
from ..errors import AuthorizationServerThrottled, ExchangeMisconfigured, InteractionRequired, ProxyError
from ..runtime import Clock
from .actor_tokens import ActorTokens
from .endpoint import Call, Endpoint
from .metadata import is_own_page
from .oauth_errors import is_per_user
from .okta_refusals import OF_LEGS, OF_ONE_CALL
from .rate_limit import UserPauses
from .record import find_private_values
from .token_exchange import AccessToken, Form, TokenRequest, build_form


class TokenEndpoint:
    """``endpoint`` is the way there; ``grant_own`` gets us a token of our own for some scopes."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: models.AuthorizationServer,
        grant_own: Callable[[tuple[str, ...]], Awaitable[AccessToken]],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._issuer = settings.issuer
        client_id = settings.client.id if settings.client else None
        self._actor_tokens = ActorTokens(grant_own, client_id or "", clock)
        self._pauses = UserPauses(clock)

    async def ask(
        self, request: TokenRequest, subject_token: SubjectToken | None, call: Call
    ) -> Mapping[str, Any]:
        """The answer to one grant, unchecked; ``call`` hears of each try. Raises what a refusal means (ProxyError)."""
        if request.grant == "client_credentials":
            subject_token = None  # a route that acts for nobody sends nobody's token
        elif subject_token is None:
            raise ExchangeMisconfigured(f"the grant {request.grant} needs a subject token")
        actor_token = None
        if subject_token is not None:
            actor_token = await self._actor_tokens.find(request, subject_token)
            call.private = partial(find_private_values, subject_token)
        asker = _build_asker(request, subject_token)
        self._pauses.check(asker)
        form = build_form(request, subject_token, actor_token)
        try:
            return await self._post(form, request, asker, subject_token is not None, call)
        except InteractionRequired as error:
            self._check_page(error)
            raise
        except AuthorizationServerThrottled as error:
            if is_per_user(error) and subject_token is not None:
                self._pauses.begin(asker)
            raise

    async def _post(
        self, form: Form, request: TokenRequest, asker: Hashable, has_user: bool, call: Call
    ) -> Mapping[str, Any]:
        """The answer; a refusal says what it means on this leg."""
        try:
            return await self._endpoint.post(form, asker=asker, has_user=has_user, call=call)
        except ProxyError as error:
            if request.leg is not None and error.own_remedy in OF_ONE_CALL:
                error.own_remedy = OF_LEGS.get((request.leg, error.oauth_error or ""), error.own_remedy)
            raise

    def _check_page(self, error: InteractionRequired) -> None:
        """Nobody is sent to another host. Raises InteractionRequired without the page that leads there."""
        if error.interaction_uri is not None and not is_own_page(error.interaction_uri, self._issuer):
            raise InteractionRequired(
                f"{error}; its interaction_uri is on another host, and withheld",
                oauth_error=error.oauth_error,
            ) from None


def _build_asker(request: TokenRequest, subject_token: SubjectToken | None) -> Hashable:
    """The user, whatever tokens he brings and whatever is asked for; without one, what is asked for."""
    return request if subject_token is None else (subject_token.issuer, subject_token.subject)
