"""Those who send signals: whether they would be believed, and whether their events could mean a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import models
from ..errors import ProxyError
from ..exchange.token_response import parse_claims
from ..jose.jwk import parse_jwk_set
from ..parts import Parts
from ..runtime import Clock
from ..signals.building import build_org
from .finding import Finding, build_failure, examine
from .network import advise

CHECK_KEYS = "Compare jwks_url with what the org publishes (https://{yourOktaDomain}/oauth2/v1/keys)."
CHECK_MATCH = (
    "Let match name claims that the users' tokens have: until then no event of the org could mean this user."
)


async def examine_signals(
    entry: models.Signals, parts: Parts, token: str | None, clock: Clock
) -> tuple[Finding, ...]:
    """Every step for one org; ``token`` is a user's as a caller would present it. Raises no ProxyError."""
    org = parts.orgs[entry.issuer]

    async def fetch() -> Finding:
        try:
            keys = parse_jwk_set((await org.server.fetch_signing_keys()).body)
        except ProxyError as error:
            return build_failure("signing_keys", entry.issuer, error, remedy=f"{advise(error)} {CHECK_KEYS}")
        except ValueError as error:
            return Finding("signing_keys", entry.issuer, "fail", str(error), CHECK_KEYS)
        return Finding("signing_keys", entry.issuer, "pass", f"{len(keys.keys)} usable")

    claims = parse_claims(token) if token is not None else None
    return await examine(clock, "signing_keys", entry.issuer, fetch), _examine_match(entry, parts, claims)


def _examine_match(entry: models.Signals, parts: Parts, claims: Mapping[str, Any] | None) -> Finding:
    org = build_org(entry, parts.settings)
    if claims is None or claims.get("iss") not in org.token_issuers:
        return Finding("match", entry.issuer, "skip", "needs a token of a user of this org: --token-file")
    found = [
        f"{member} by {claim}" for member, claim in entry.match.items() if isinstance(claims.get(claim), str)
    ]
    if not found:
        missing = ", ".join(entry.match.values())
        return Finding("match", entry.issuer, "fail", f"the token has none of {missing}", CHECK_MATCH)
    return Finding("match", entry.issuer, "pass", f"the user is found {', '.join(found)}")
