"""How many ID-JAGs a route spends: Okta counts them by user, application and month."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ..cache.token_cache import LEEWAY_PART
from ..config import models
from .finding import Finding

ALLOWANCE: Final = 250  # for each user, application and month (Okta, plain SSO)
WORKING_HOURS: Final = 8
WORKING_DAYS: Final = 22
USUAL_LIFETIME: Final = 300.0  # s that an ID-JAG is good for, where none was seen


@dataclass(frozen=True, slots=True)
class Spending:
    """ID-JAGs of one user who is active all day; ``every`` is the time (s) between two."""

    every: float

    @property
    def a_day(self) -> int:
        return math.ceil(WORKING_HOURS * 3600 / self.every)

    @property
    def a_month(self) -> int:
        return self.a_day * WORKING_DAYS


def estimate_spending(
    route: models.Route,
    cache: models.Cache,
    *,
    lifetime: float | None = None,
    first_lifetime: float = USUAL_LIFETIME,
) -> Spending | None:
    """None for a route without ID-JAGs. ``lifetime`` is the access token's (s), where one was seen.

    An access token serves until it ends; then the ID-JAG is redeemed again if it has not ended, else another is made.
    """
    if route.grant != "id_jag":
        return None
    kept = _keep(cache.max_ttl if lifetime is None else min(lifetime, cache.max_ttl), cache)
    first_kept = _keep(first_lifetime, cache)
    redemptions = max(1, math.ceil(first_kept / kept)) if kept else 1
    return Spending(max(kept * redemptions, first_kept))


def judge_spending(
    route: models.Route,
    cache: models.Cache,
    *,
    lifetime: float | None = None,
    first_lifetime: float = USUAL_LIFETIME,
) -> Finding | None:
    """What the route costs, as a finding; None where it costs nothing that is counted."""
    spending = estimate_spending(route, cache, lifetime=lifetime, first_lifetime=first_lifetime)
    if spending is None:
        return None
    told = describe_spending(spending) + (
        "" if lifetime else ", more if access tokens live shorter than cache.max_ttl"
    )
    if cache.key == "token":
        told += "; with cache.key: token, one more for each new token of the user's"
    if spending.a_month <= ALLOWANCE:
        return Finding("id_jags", route.name, "pass", told)
    return Finding(
        "id_jags",
        route.name,
        "warn",
        f"{told}: more than the {ALLOWANCE} that Okta allows",
        "Let the redeeming server's access tokens live an hour (Okta: its access policy's rule), and cache.max_ttl"
        " be no less; or ask Okta for a larger allowance.",
    )


def describe_spending(spending: Spending) -> str:
    """``9 a day and 198 a month …``."""
    return (
        f"{spending.a_day} ID-JAGs a day and {spending.a_month} a month for a user who is active"
        f" {WORKING_HOURS} hours on {WORKING_DAYS} days"
    )


def _keep(lifetime: float, cache: models.Cache) -> float:
    """How long a token of that life serves."""
    return lifetime - min(cache.expiry_leeway, lifetime * LEEWAY_PART)
