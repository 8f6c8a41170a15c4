"""Users whom no event of some kind could mean: told in the log, for their revocation would end nothing in silence."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..authentication.subject_identifier import Identify, Org

log = logging.getLogger(__name__)


class TellUnmatched:
    """``identify``, but the first token of an issuer that lacks a claim of ``match`` is told of."""

    def __init__(self, orgs: Sequence[Org], identify: Identify) -> None:
        self._orgs = orgs
        self._identify = identify
        self._told: set[tuple[str, str]] = set()  # of the issuers and claims that are configured

    def __call__(self, claims: Mapping[str, Any]) -> tuple[bytes, ...]:
        for org in self._orgs:
            if claims["iss"] in org.token_issuers:
                self._tell(org, claims)
        return self._identify(claims)

    def _tell(self, org: Org, claims: Mapping[str, Any]) -> None:
        for member, claim in org.match.items():
            missing = claims["iss"], claim
            if missing not in self._told and not isinstance(claims.get(claim), str):
                self._told.add(missing)
                extra = {"issuer": claims["iss"], "claim": claim, "member": member}
                log.warning("a user's token lacks a claim that signals go by", extra=extra)
