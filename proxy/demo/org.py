"""The demo's org: what one would click together in Okta's console for the two scenarios of its guide."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from .resource import Protection
from .signing import KeyRing, PrivateKey, build_public_jwk
from .tenant import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    JWT_BEARER,
    OPENID_SCOPES,
    TOKEN_EXCHANGE,
    Client,
    Connection,
    Rule,
    Server,
    Tenant,
    User,
)
from .workloads import SERVICE_ACCOUNT, SPIFFE_ID, Workloads

SERVICE_ID = "0oa1oboproxysvc00001"
KEY_SERVICE_ID = "0oa1oboproxykey00001"
WORKLOAD_SERVICE_ID = "0oa1oboproxywld00001"
TLS_SERVICE_ID = "0oa1oboproxytls00001"
SELF_SIGNED_SERVICE_ID = "0oa1oboproxyown00001"
PARTNER_ID = "obo-proxy-at-chat"
CHAT_API = "https://api.chat.example/"
CHAT_SCOPES = ("chat.read", "chat.write")
LOGIN_ID = "0oa1webapplogin00001"
# Not a secret at all: it opens nothing but the demo. Characters that need form encoding are there on purpose.
SERVICE_SECRET = "demo:secret%with+odd é/characters="
_SERVICES = {SERVICE_ID, KEY_SERVICE_ID, WORKLOAD_SERVICE_ID, TLS_SERVICE_ID, SELF_SIGNED_SERVICE_ID}
TLS_NAME = "obo-proxy"
_SERVICE_GRANTS = {TOKEN_EXCHANGE, CLIENT_CREDENTIALS, JWT_BEARER}


def build_tenant(url: str, *, name: str = "demo", client_key: PrivateKey | None = None) -> Tenant:
    """The org at ``url``. Keys are the process's for that ``name``; ``client_key`` is the key client's own."""
    key = client_key or ec.generate_private_key(ec.SECP256R1())
    return Tenant(
        url,
        users=_users(),
        clients=_clients(key),
        servers=_servers(url, name),
        workloads=Workloads(name),
        event_keys=KeyRing(f"{name}/events"),
    )


def build_partner(url: str, org: Tenant, *, name: str = "demo") -> Tenant:
    """Another company at ``url``: its server redeems the ID-JAGs of ``org``, whose administrator has connected it."""
    service = Client(
        PARTNER_ID, "obo-proxy at the partner", True, "client_secret_basic", {JWT_BEARER}, SERVICE_SECRET
    )
    rule = Rule({PARTNER_ID}, {JWT_BEARER}, set(CHAT_SCOPES))
    chat = Server("chat", CHAT_API, set(CHAT_SCOPES), KeyRing(f"{name}/chat"), [rule])
    partner = Tenant(
        url,
        {},
        {"obo-proxy": service},
        {"chat": chat},
        Workloads(f"{name}/partner"),
        KeyRing(f"{name}/partner/events"),
    )
    partner.trusts[org.issuer("org")] = org.servers["org"].published_keys
    connection = Connection(PARTNER_ID, set(CHAT_SCOPES), {CHAT_API})
    for client in org.clients.values():
        if client.service:
            client.linked.add(org.clients["web"].id)
            client.connections[partner.issuer("chat")] = connection
    return partner


def build_protections(tenant: Tenant, partner: Tenant | None = None) -> dict[str, Protection]:
    """What the sample API asks for, by first path segment."""
    servers = {"orders": "orders", "reports": "orders", "profile": "default", "payroll": "payroll"}
    own = {
        segment: Protection(tenant.issuer(name), tenant.servers[name].audience)
        for segment, name in servers.items()
    }
    if partner is None:
        return own
    return own | {"chat": Protection(partner.issuer("chat"), partner.servers["chat"].audience)}


def _users() -> dict[str, User]:
    return {
        "alice": User("alice", "00u1alice00000000001", "Alice Archer"),
        "bob": User("bob", "00u1bob0000000000001", "Bob Baker"),
        "carol": User("carol", "00u1carol00000000001", "Carol Cooper", active=False),
    }


def _clients(key: PrivateKey) -> dict[str, Client]:
    return {
        "obo-proxy": Client(
            SERVICE_ID, "obo-proxy", True, "client_secret_basic", set(_SERVICE_GRANTS), SERVICE_SECRET
        ),
        "obo-proxy-key": Client(
            KEY_SERVICE_ID,
            "obo-proxy with a key",
            True,
            "private_key_jwt",
            set(_SERVICE_GRANTS),
            jwks=[build_public_jwk(key)],
        ),
        "obo-proxy-workload": Client(
            WORKLOAD_SERVICE_ID,
            "obo-proxy in a cluster",
            True,
            "federated_jwt",
            set(_SERVICE_GRANTS),
            subjects={SERVICE_ACCOUNT, SPIFFE_ID},
        ),
        "obo-proxy-tls": Client(
            TLS_SERVICE_ID,
            "obo-proxy with a certificate",
            True,
            "tls_client_auth",
            set(_SERVICE_GRANTS),
            certificate=f"CN={TLS_NAME}",
        ),
        "obo-proxy-self-signed": Client(
            SELF_SIGNED_SERVICE_ID,
            "obo-proxy with a certificate of its own",
            True,
            "self_signed_tls_client_auth",
            set(_SERVICE_GRANTS),
        ),
        "web": Client(LOGIN_ID, "Web app", False, "none", {AUTHORIZATION_CODE}),
    }


def _servers(url: str, name: str) -> dict[str, Server]:
    orders_scopes = {"orders:read", "orders:write"}
    login_scopes = orders_scopes | {"api:access:read", "api:access:write"} | OPENID_SCOPES
    servers = [
        Server(
            "default",
            "api://default",
            login_scopes,
            KeyRing(f"{name}/default"),
            [
                Rule({LOGIN_ID}, {AUTHORIZATION_CODE}, login_scopes),
                Rule(set(_SERVICES), set(_SERVICE_GRANTS), {"api:access:read", "orders:read"}),
            ],
        ),
        Server(
            "orders",
            "api://orders",
            orders_scopes | {"orders:delete"},
            KeyRing(f"{name}/orders"),
            [Rule(set(_SERVICES), set(_SERVICE_GRANTS), set(orders_scopes))],
            trusted={"default"},
        ),
        # Its policy knows our client but grants it nothing that a route would want.
        Server(
            "payroll",
            "api://payroll",
            {"payroll:read", "payroll:status"},
            KeyRing(f"{name}/payroll"),
            [Rule(set(_SERVICES), set(_SERVICE_GRANTS), {"payroll:status"})],
            trusted={"default"},
        ),
        Server(
            "org",
            url,
            {"okta.users.read", "okta.groups.read"},
            KeyRing(f"{name}/org"),
            [Rule({KEY_SERVICE_ID}, {CLIENT_CREDENTIALS}, {"okta.users.read"})],
            id_keys=KeyRing(f"{name}/org/id"),
        ),
    ]
    return {server.name: server for server in servers}
