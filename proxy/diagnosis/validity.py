"""How long what vouches for us at an authorization server does so still: the assertion or certificate in a file."""

from __future__ import annotations

from ..errors import ExchangeMisconfigured
from ..exchange.credentials import Validity
from ..parts import Issuer
from ..runtime import Clock
from .demands import describe_duration
from .finding import Finding

PART_LEFT = 0.1  # of the life of what vouches for us; less is late
LEAST_LEFT = 120.0  # s
CHECK_RENEWAL = (
    "See that what writes the file is there and renews it: the kubelet, spiffe-helper, a certificate manager."
)


def examine_validity(name: str, issuer: Issuer, clock: Clock) -> list[Finding]:
    """How long what vouches for us does so still; nothing where that has no end."""
    validity = issuer.server.validity()
    if validity is None:
        return []
    told = f"the {validity.kind} in {validity.file}"
    if validity.fault:
        return [
            Finding("client_validity", name, "warn", f"{told} is not used: {validity.fault}", CHECK_RENEWAL)
        ]
    if validity.expires_at is None:
        return []
    left = validity.expires_at - clock.time()
    if left <= 0:
        ended = f"{told} ended {describe_duration(left)} ago (exp {validity.expires_at:.0f})"
        return [Finding("client_validity", name, "fail", ended, CHECK_RENEWAL, ExchangeMisconfigured.code)]
    ends = f"{told} ends in {describe_duration(left)}"
    if left < _find_warning(validity):
        return [Finding("client_validity", name, "warn", f"{ends}, and nobody has renewed it", CHECK_RENEWAL)]
    return [Finding("client_validity", name, "pass", ends)]


def _find_warning(validity: Validity) -> float:
    """Seconds before its end at which whoever renews it should have: the kubelet does with a fifth of its life left."""
    begins_at = validity.begins_at
    life = 0.0 if begins_at is None or validity.expires_at is None else validity.expires_at - begins_at
    return max(LEAST_LEFT, life * PART_LEFT)
