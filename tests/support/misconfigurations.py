"""What goes wrong when on-behalf-of is set up, made on the demo's org or in the proxy's configuration.

One table for everything that tells causes and remedies: ``make`` sets the stage and returns the configuration;
then with alice's token (or ``token``) on the route ``orders`` a step must fail whose summary has ``cause`` and
whose remedy has ``remedy``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proxy.demo import Demo
from proxy.demo.tenant import TOKEN_EXCHANGE

Raw = dict[str, Any]
ROUTE = "orders"


@dataclass(frozen=True)
class Misconfiguration:
    name: str
    make: Callable[[Demo], Raw]
    cause: str
    remedy: str
    token: Callable[[Demo], str] = lambda demo: demo.mint("alice")


def _at_okta(change: Callable[[Demo], object], **settings: Any) -> Callable[[Demo], Raw]:
    """Something clicked wrongly in the console."""

    def make(demo: Demo) -> Raw:
        raw = demo.settings(**settings)
        change(demo)
        return raw

    return make


def _in_file(change: Callable[[Raw, Demo], object]) -> Callable[[Demo], Raw]:
    """Something written wrongly in the configuration."""

    def make(demo: Demo) -> Raw:
        raw = demo.settings()
        change(raw, demo)
        return raw

    return make


def _set(place: str, value: Any) -> Callable[[Demo], Raw]:
    """``place`` is a path such as ``routes.0.audience``."""

    def change(raw: Raw, demo: Demo) -> None:
        *path, last = (int(name) if name.isdigit() else name for name in place.split("."))
        for name in path:
            raw = raw[name]
        raw[last] = value(demo) if callable(value) else value

    return _in_file(change)


def _client(demo: Demo) -> Any:
    return demo.tenant.clients["obo-proxy"]


def _server(demo: Demo) -> Any:
    return demo.tenant.servers[ROUTE]


def _alice(demo: Demo) -> Any:
    return demo.tenant.users["alice"]


def _change(find: Callable[[Demo], Any], **values: Any) -> Callable[[Demo], Raw]:
    return _at_okta(lambda demo: find(demo).__dict__.update(values))


MISCONFIGURATIONS = [
    # The app
    Misconfiguration(
        "grant not ticked",
        _at_okta(lambda demo: _client(demo).grant_types.discard(TOKEN_EXCHANGE)),
        "unauthorized_client: The client is not authorized to use the provided grant type",
        "General Settings > Grant type: tick Token Exchange",
    ),
    Misconfiguration(
        "not a service app",
        _change(_client, service=False),
        "Only service clients may use on-behalf token exchange",
        "must be an API Services app",
    ),
    Misconfiguration(
        "wrong client secret",
        _change(_client, secret="rotated and told to nobody"),
        "invalid_client: The client secret supplied for a confidential client is invalid",
        "compare client id, client authentication method, secret",
    ),
    Misconfiguration(
        "wrong client id",
        _change(_client, id="0oa9gone0000000000001"),
        "invalid_client: Invalid value for 'client_id'",
        "Applications > Applications > (the app of client id 0oa1oboproxysvc00001)",
    ),
    Misconfiguration(
        "key not registered",
        _at_okta(
            lambda demo: demo.tenant.clients["obo-proxy-key"].jwks[0].update(kid="another"),
            private_key_jwt=True,
        ),
        "invalid_client: The client_assertion JWT kid is invalid",
        "public key (its kid too)",
    ),
    Misconfiguration(
        "DPoP demanded",
        _at_okta(lambda demo: demo.demand_dpop()),
        "invalid_dpop_proof: The DPoP proof JWT header is missing",
        "Proof of possession: set dpop: true, or untick it",
    ),
    # The authorization server
    Misconfiguration(
        "no access policy",
        _change(_server, rules=[]),
        "access_denied: Policy evaluation failed for this request",
        "> Access Policies: a rule must give",
    ),
    Misconfiguration(
        "scope not in the rule",
        _at_okta(lambda demo: _server(demo).rules[0].scopes.discard("orders:read")),
        "access_denied: Policy evaluation succeeded, but all the requested scopes were rejected",
        "> Access Policies: a rule must give",
    ),
    Misconfiguration(
        "scope not configured",
        _at_okta(lambda demo: _server(demo).scopes.discard("orders:read")),
        "invalid_scope: One or more scopes are not configured",
        "> Scopes: the route's scopes must be there",
    ),
    Misconfiguration(
        "trusted server missing",
        _at_okta(lambda demo: _server(demo).trusted.clear()),
        "access_denied: The 'subject_token' issuer isn't a trusted authorization server",
        "> Settings > Trusted servers: Add Server",
    ),
    Misconfiguration(
        "licence missing",
        _at_okta(lambda demo: demo.tenant.__dict__.update(token_exchange_licensed=False)),
        "invalid_grant: The API Access Management SKU is not enabled",
        "API Access Management licence",
    ),
    Misconfiguration(
        "consent demanded",
        _change(_alice, consented=False),
        "consent_required: The following scopes require user consent",
        "User consent: Implicit",
    ),
    Misconfiguration(
        "clock of the authorization server ahead",
        _at_okta(lambda demo: demo.faults.__dict__.update(clock_offset=120.0)),
        "the token's iat lies in the future: issued 2 min from now",
        "Compare the clocks",
    ),
    Misconfiguration(
        "tokens issued for another audience",
        _at_okta(lambda demo: demo.faults.claims.update(aud="api://elsewhere")),
        "audience_mismatch",
        "issue tokens for the route's audience",
    ),
    Misconfiguration(
        "tokens issued to another subject",
        _at_okta(lambda demo: demo.faults.claims.update(sub="00u1alice00000000001")),
        "subject_mismatch",
        "check_subject: false",
    ),
    Misconfiguration(
        "fewer scopes issued",
        _at_okta(lambda demo: demo.faults.members.update(scope="orders:list")),
        "fewer scopes than were asked for",
        "Ask for those alone",
    ),
    # The user
    Misconfiguration(
        "user deactivated",
        _change(_alice, active=False),
        "invalid_request: 'subject_token' is invalid: the user account is not active",
        "Directory > People",
    ),
    Misconfiguration(
        "user not assigned",
        _change(_alice, assigned=False),
        "the user is not assigned to the client application",
        "Directory > People",
    ),
    Misconfiguration(
        "session ended",
        _change(_alice, signed_in=False),
        "invalid_grant: The 'subject_token' either expired or the session associated with it was terminated",
        "The user must log in again",
    ),
    Misconfiguration(
        "step-up demanded",
        _change(_alice, step_up={"acr_values": "urn:okta:loa:2fa:any"}),
        "insufficient_user_authentication",
        "must authenticate anew",
    ),
    # The proxy's configuration
    Misconfiguration(
        "audience of another server",
        _set("routes.0.audience", "api://order"),
        "invalid_target: Token Exchange requests must include a valid audience",
        "> Settings > Audience: the route's audience must be this one",
    ),
    Misconfiguration(
        "expected audience wrong",
        _set("subject_tokens.0.expected_audience", "api://orders"),
        "expected api://orders, got api://default",
        "ask for a token for api://orders",
    ),
    Misconfiguration(
        "client of the callers not accepted",
        _set("subject_tokens.0.client_ids", ["0oa1mobile"]),
        "issued to a client that is not accepted: expected 0oa1mobile, got 0oa1webapplogin00001",
        "fetch a new one",
    ),
    Misconfiguration(
        "required scope not in the user's token",
        _set("subject_tokens.0.required_scopes", ["orders:approve"]),
        "lacks a required scope: expected orders:approve, got",
        "ask for a token with the scopes",
    ),
    Misconfiguration(
        "custom domain in the issuer",
        _set(
            "authorization_servers.default.issuer",
            lambda demo: demo.issuer("default").replace("127.0.0.1", "localhost"),
        ),
        "the token's issuer is not accepted: expected http://localhost",
        "issuer mode (custom domain or not)",
    ),
    Misconfiguration(
        "org authorization server as issuer",
        _set("authorization_servers.default.issuer", lambda demo: demo.issuer("org")),
        "org_authorization_server_token",
        "use a custom authorization server",
        token=lambda demo: demo.mint("alice", server="org", audience=demo.issuer("org")),
    ),
    # The caller
    Misconfiguration(
        "token expired",
        lambda demo: demo.settings(),
        "ended 1 h ago",
        "refresh its token",
        token=lambda demo: demo.mint("alice", expires_in=-3601),
    ),
    Misconfiguration(
        "opaque token",
        lambda demo: demo.settings(),
        "does not have the three parts of a JWS",
        "set introspect: true",
        token=lambda demo: demo.mint_opaque("alice"),
    ),
]
"""Each ends a request of alice's to the route; ids are their names."""
