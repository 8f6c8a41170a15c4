"""RFC 7662 §2.1: asking one authorization server about tokens, so that strangers' cost those of known users nothing.

Anybody may present a text that has to be asked about. Tokens that were active when they were last asked about have a
way of their own, with its own limits and breaker; the others share one that is narrow. What the answers mean is
``introspection``'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from cachetools import LRUCache, TTLCache

from ..runtime import Clock
from .endpoint import Endpoint, Limits

AT_ONCE = 8  # calls for strangers' tokens
SCARCE = 0.5  # of the rate limit: strangers do not use up the other half
MOST_KNOWN = 10_000  # tokens, by their hashes, of either kind
# s: a token that is young, and not known to all of the server yet, is asked about again soon.
INACTIVE_FOR = 10.0


class Introspector:
    """``build_endpoint`` makes a way to the server that has limits of its own."""

    def __init__(self, build_endpoint: Callable[[Limits], Endpoint], *, timeout: float, clock: Clock) -> None:
        self._known = build_endpoint(Limits(timeout))
        self._strangers = build_endpoint(Limits(timeout, AT_ONCE, SCARCE))
        self._active: LRUCache[bytes, None] = LRUCache(MOST_KNOWN)
        self._inactive: TTLCache[bytes, Mapping[str, Any]] = TTLCache(
            MOST_KNOWN, INACTIVE_FOR, timer=clock.monotonic
        )

    async def introspect(self, token: str) -> Mapping[str, Any]:
        """The answer about ``token``; one that says it is not active may be some seconds old. Raises ProxyError."""
        name = sha256(token.encode()).digest()
        inactive = self._inactive.get(name)
        if inactive is not None:
            return inactive
        endpoint = self._known if name in self._active else self._strangers
        # A refusal here is of our client, never of the token, which would merely not be active (§2.2).
        answer = await endpoint.post(
            [("token", token), ("token_type_hint", "access_token")], asker=name, has_user=False
        )
        self._remember(name, answer)
        return answer

    def _remember(self, name: bytes, answer: Mapping[str, Any]) -> None:
        if answer.get("active") is True:
            self._active[name] = None
            return
        self._active.pop(name, None)
        exp = answer.get("exp")
        self._inactive[name] = {"active": False, "exp": exp} if isinstance(exp, int) else {"active": False}
