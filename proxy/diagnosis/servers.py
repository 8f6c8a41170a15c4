"""One authorization server without a user: its metadata, its keys, its clock, and what it says to our client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from ..config import models
from ..errors import AuthorizationServerTimeout, AuthorizationServerUnavailable, ProxyError
from ..exchange.answer import Answer
from ..exchange.metadata import build_metadata_urls
from ..jose.jwk import parse_jwk_set
from ..parts import Issuer, Parts
from ..runtime import Clock
from .clients import examine_client
from .demands import describe_duration, describe_texts
from .finding import Finding, build_failure, examine, name_places
from .network import advise
from .validity import examine_validity

CLOCK_WARNING = 5.0  # s: a Date is cut to the second, and some time old when it is read
CHECK_ISSUER = (
    "Okta Admin Console: Security > API > Authorization Servers > (the server) > Settings > Issuer: the configured "
    "issuer must be this one, letter by letter; with a custom domain the issuer mode says which."
)
CHECK_KEYS = (
    "Name a custom authorization server (…/oauth2/default) as issuer: Okta's org authorization server publishes no "
    "keys for its access tokens."
)
CHECK_REFUSED_KEYS = "Tokens that a refused key signed are refused: let the server replace it."
CHECK_ALGORITHMS = "Let subject_tokens.algorithms name what the issuer signs with."
CHECK_CLOCK = (
    "Set this host's clock by NTP (timedatectl, chronyc tracking); compare the server's if it is yours."
)


async def examine_server(
    name: str, parts: Parts, routes: Sequence[models.Route], clock: Clock
) -> list[Finding]:
    """Every step at one server, as ``routes`` need it. Raises no ProxyError."""
    issuer, settings = parts.issuers[name], parts.settings
    entries = [entry for entry in settings.subject_tokens if entry.authorization_server == name]
    answers = await _look(issuer)
    found = [
        await _examine_metadata(name, issuer, answers, clock),
        await _examine_keys(name, issuer, entries, clock),
        _examine_clock(name, answers, entries, clock),
        *examine_validity(name, issuer, clock),
        await examine_client(name, parts, routes, clock),
    ]
    return [name_places(finding, issuer.settings) for finding in found]


async def _examine_metadata(
    name: str, issuer: Issuer, answers: Mapping[str, Answer], clock: Clock
) -> Finding:
    server = issuer.settings

    async def fetch() -> Finding:
        if server.token_url and server.jwks_url:
            return Finding("metadata", name, "skip", "not needed: token_url and jwks_url are configured")
        try:
            metadata = await issuer.server.fetch_metadata()
        except ProxyError as error:
            return _blame(error, "metadata", name, CHECK_ISSUER)
        forms = " and ".join(_name_form(url) for url, answer in answers.items() if answer.status == 200)
        known = f"token URL {server.token_url or metadata.token_url}, in {forms}"
        return Finding("metadata", name, "pass", known)

    return await examine(clock, "metadata", name, fetch)


async def _look(issuer: Issuer) -> Mapping[str, Answer]:
    """What both well-known forms (RFC 8414 §3.1, §5) answer now, by URL; those that do not answer are not there."""
    found = {}
    for url in build_metadata_urls(issuer.settings.issuer):
        with suppress(ProxyError):
            found[url] = await issuer.server.get(url)
    return found


def _name_form(url: str) -> str:
    return "oauth-authorization-server" if "oauth-authorization-server" in url else "openid-configuration"


async def _examine_keys(
    name: str, issuer: Issuer, entries: Sequence[models.SubjectTokens], clock: Clock
) -> Finding:
    accepted = {alg for entry in entries if not entry.introspect for alg in entry.algorithms}

    async def fetch() -> Finding:
        if not accepted:
            return Finding(
                "signing_keys", name, "skip", "not needed: no subject tokens are verified by its keys"
            )
        try:
            fetched = await issuer.server.fetch_signing_keys()
        except ProxyError as error:
            return _blame(error, "signing_keys", name, "")
        try:
            keys = parse_jwk_set(fetched.body)
        except ValueError as error:
            return Finding("signing_keys", name, "fail", str(error), CHECK_KEYS)
        algorithms = {alg for key in keys.keys for alg in key.algorithms}
        told = f"{len(keys.keys)} usable ({describe_texts(algorithms)})"
        if not algorithms & accepted:
            told += f", none for the accepted {describe_texts(accepted)}"
            return Finding("signing_keys", name, "fail", told, CHECK_ALGORITHMS)
        if keys.refusals:
            refused = "; ".join(keys.refusals)
            return Finding("signing_keys", name, "warn", f"{told}; refused: {refused}", CHECK_REFUSED_KEYS)
        return Finding("signing_keys", name, "pass", told)

    return await examine(clock, "signing_keys", name, fetch)


def _examine_clock(
    name: str, answers: Mapping[str, Answer], entries: Sequence[models.SubjectTokens], clock: Clock
) -> Finding:
    # Beyond this, tokens that are new or about to end are judged wrongly.
    tolerance = min((entry.clock_tolerance for entry in entries), default=60.0)
    date = next((answer.date for answer in answers.values() if answer.date is not None), None)
    if date is None:
        return Finding("clock", name, "skip", "the server does not tell its time")
    ahead = date - clock.time()
    if abs(ahead) < CLOCK_WARNING:
        return Finding("clock", name, "pass", f"within {CLOCK_WARNING:g} s of ours")
    direction = "ahead of" if ahead > 0 else "behind"
    told = f"the server's clock is {describe_duration(ahead)} {direction} ours; {tolerance:g} s are tolerated"
    return Finding("clock", name, "fail" if abs(ahead) > tolerance else "warn", told, CHECK_CLOCK)


def _blame(error: ProxyError, step: str, name: str, remedy: str) -> Finding:
    if isinstance(error, AuthorizationServerUnavailable | AuthorizationServerTimeout):
        return build_failure(step, name, error, remedy=advise(error))
    return build_failure(step, name, error, remedy=f"{error.remedy} {remedy}".strip())
