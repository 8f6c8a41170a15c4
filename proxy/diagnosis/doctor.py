"""Everything that can be examined of a configuration, with or without a user's token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..config import models
from ..config.cautions import find_cautions
from ..config.faults import ConfigurationError, Fault
from ..config.route_rules import sends_ours_unasked
from ..config.secret_file import SecretFile
from ..exchange.route_requests import build_token_request
from ..parts import Parts
from ..runtime import Clock
from ..wiring.parts import build_parts
from .authorizer import AuthorizerExamination
from .clients import examine_scopes
from .diagnose import diagnose_exchange
from .finding import Finding, name_places
from .report import Report, Section
from .servers import examine_server
from .signals import examine_signals
from .spending import judge_spending
from .subject import SubjectExamination, examine_subject_token
from .upstreams import examine_store, examine_upstream

NEEDS_TOKEN = "needs a user's token: --token-file"


async def examine_all(
    settings: models.Settings, clock: Clock, *, route: str | None = None, token: str | None = None
) -> Report:
    """Everything, or what concerns the route of that name; ``token`` is a user's as a caller would present it.

    Raises ConfigurationError where a file that the settings name cannot be used.
    """
    routes = [one for one in settings.routes if route in (None, one.name)]
    try:
        subject_tokens = _SubjectTokens(token, routes)
        parts = build_parts(settings, clock=clock, on_exchange=lambda _: None)
    except (OSError, ValueError) as error:
        raise ConfigurationError((Fault("a file that is named", str(error)),)) from error
    parts.sweep.start()
    try:
        sections = [_describe_configuration(settings)]
        sections += await _examine_servers(parts, routes, clock)
        sections += await _examine_upstreams(parts, routes, clock)
        sections += await _examine_signals(parts, token, clock)
        sections += await _examine_routes(parts, routes, subject_tokens, clock)
        sections += await _examine_authorizer(parts, routes, subject_tokens, clock)
    finally:
        await parts.retire()
    return Report(tuple(sections))


def _describe_configuration(settings: models.Settings) -> Section:
    servers = len(settings.authorization_servers)
    told = f"sound: {len(settings.routes)} route(s), {servers} authorization server(s)"
    cautions = [
        Finding("configuration", caution.place, "warn", caution.message)
        for caution in find_cautions(settings)
    ]
    return Section("Configuration", (Finding("configuration", "", "pass", told), *cautions))


async def _examine_servers(parts: Parts, routes: Sequence[models.Route], clock: Clock) -> list[Section]:
    """Those that the routes need; the servers of the users' tokens go first."""
    settings = parts.settings
    needs_user = any(route.grant in models.NEEDS_USER for route in routes)
    names = [entry.authorization_server for entry in settings.subject_tokens if needs_user]
    for route in routes:
        names += [name for name in (route.identity_provider, settings.authorization_server_of(route)) if name]
    chosen = list(dict.fromkeys(names))
    found = await asyncio.gather(*(examine_server(name, parts, routes, clock) for name in chosen))
    return [
        Section(f"Authorization server {name}: {parts.issuers[name].settings.issuer}", tuple(findings))
        for name, findings in zip(chosen, found, strict=True)
    ]


async def _examine_upstreams(parts: Parts, routes: Sequence[models.Route], clock: Clock) -> list[Section]:
    """Each API once, however many routes lead to it."""
    apis = {(route.upstream, route.tls): route for route in routes}
    found = await asyncio.gather(*(examine_upstream(route, parts, clock) for route in apis.values()))
    sections = [Section("Upstreams", tuple(found))]
    shared = parts.settings.cache.shared
    if shared is not None:
        sections.append(Section("Shared cache", (await examine_store(shared, clock),)))
    return sections


async def _examine_signals(parts: Parts, token: str | None, clock: Clock) -> list[Section]:
    found = [await examine_signals(entry, parts, token, clock) for entry in parts.settings.signals]
    return [Section("Signals", tuple(finding for each in found for finding in each))] if found else []


async def _examine_routes(
    parts: Parts, routes: Sequence[models.Route], subject_tokens: _SubjectTokens, clock: Clock
) -> list[Section]:
    sections: list[Section] = []
    examined: dict[tuple[str, bool], SubjectExamination] = {}
    for route in routes:
        token, id_tokens = subject_tokens.find(route), route.subject_token_type == "id_token"
        if route.grant in models.NEEDS_USER and token is None:
            userless = [await _examine_userless(route, parts, clock)]
            cost = judge_spending(route, parts.settings.cache)
            sections.append(Section(f"Route {route.name}", (*userless, *([cost] if cost else []))))
            continue
        subject = SubjectExamination(())
        if token is not None:
            if (token, id_tokens) not in examined:
                subject = await examine_subject_token(token, parts.verifiers[id_tokens], clock)
                examined[token, id_tokens] = subject
                sections.append(Section(subject_tokens.title(route), subject.findings))
            subject = examined[token, id_tokens]
        diagnosis = await diagnose_exchange(subject, route, parts, clock)
        sections.append(Section(f"Route {route.name}", diagnosis.findings, diagnosis))
    return sections


async def _examine_authorizer(
    parts: Parts, routes: Sequence[models.Route], subject_tokens: _SubjectTokens, clock: Clock
) -> list[Section]:
    """Nothing where there is none; the one that runs is asked, so that its configuration shows, too."""
    authorizer = parts.settings.authorizer
    if authorizer is None:
        return []
    examination = AuthorizerExamination(authorizer, clock, parts.sweep)
    try:
        found = [
            await examination.examine(
                route,
                None if sends_ours_unasked(route) else subject_tokens.find(route),
                needs_token=route.grant in models.NEEDS_USER and not sends_ours_unasked(route),
            )
            for route in routes
        ]
    finally:
        await examination.aclose()
    return [Section(f"Authorizer at {authorizer.socket_path or authorizer.port}", tuple(found))]


async def _examine_userless(route: models.Route, parts: Parts, clock: Clock) -> Finding:
    """What can be told of an exchange without a user."""
    request = build_token_request(route, parts.settings)
    if request is None or not request.scopes:
        return Finding("exchange", route.name, "skip", NEEDS_TOKEN)
    issuer = parts.issuers[request.authorization_server]
    return name_places(await examine_scopes(request, issuer, clock, about=route.name), issuer.settings)


class _SubjectTokens:
    """The users' tokens of the routes: the caller's, or that of a route's own file."""

    def __init__(self, token: str | None, routes: Sequence[models.Route]) -> None:
        """Raises OSError for a file that cannot be read."""
        self._token = token
        self._read = {
            route.name: SecretFile(route.subject_token_file).read().decode("ascii", "replace")
            for route in routes
            if route.subject_token_file is not None
        }

    def find(self, route: models.Route) -> str | None:
        """None where there is none, or the route needs none."""
        return self._read.get(route.name, self._token) if route.grant in models.NEEDS_USER else None

    def title(self, route: models.Route) -> str:
        """Whose token it is."""
        return f"The token in {route.subject_token_file}" if route.name in self._read else "The user's token"
