"""An Okta org in memory: users, client apps, authorization servers and their access policies.

Everything is mutable on purpose: a misconfiguration is made here just as it is made in Okta's console, such
as ``tenant.clients["obo-proxy"].grant_types.discard(TOKEN_EXCHANGE)`` for the box that was never ticked.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from .faults import Faults
from .signing import KeyRing
from .workloads import Workloads

AUTHORIZATION_CODE = "authorization_code"
CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS = (AUTHORIZATION_CODE, CLIENT_CREDENTIALS, TOKEN_EXCHANGE, JWT_BEARER)
OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "groups", "offline_access"})


@dataclass
class User:
    """Someone in the directory; each switch is a reason for Okta to refuse their token."""

    login: str
    uid: str
    name: str
    active: bool = True
    assigned: bool = True  # to the app that the user signed in to
    signed_in: bool = True  # False: the session has ended
    consented: bool = True
    step_up: dict[str, Any] | None = None  # members of the refusal: acr_values, max_age
    signed_in_at: int | None = None  # epoch s; all tokens of one session tell the same time

    @property
    def email(self) -> str:
        """The address that ID tokens show."""
        return f"{self.login}@example.com"


@dataclass
class Connection:
    """Another company's server that an app may be vouched for at: who it is there, and what it may ask for."""

    client_id: str
    scopes: set[str]
    resources: set[str] = field(default_factory=set)


@dataclass
class Client:
    """An app: who may ask, and how it proves itself."""

    id: str
    name: str
    service: bool
    auth: Literal[
        "client_secret_basic",
        "private_key_jwt",
        "federated_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "none",
    ]
    grant_types: set[str]
    secret: str | None = field(default=None, repr=False)
    jwks: list[dict[str, Any]] = field(default_factory=list)
    jwks_uri: str | None = None
    dpop_required: bool = False
    subjects: set[str] = field(default_factory=set)  # of others' assertions that vouch for it
    certificate: str | None = None  # its subject (RFC 4514), or SHA-256 of one that it has signed itself
    binds_tokens: bool = False  # to the certificate that it shows
    linked: set[str] = field(default_factory=set)  # apps whose users' ID tokens it may exchange for ID-JAGs
    connections: dict[str, Connection] = field(default_factory=dict)  # by the other server's issuer


@dataclass
class Rule:
    """An access policy's rule: these clients may use these grants for these scopes."""

    clients: set[str]
    grants: set[str]
    scopes: set[str]


@dataclass
class Server:
    """A custom authorization server, or with the name ``org`` the org's own, which signs ID tokens apart."""

    name: str
    audience: str
    scopes: set[str]
    keys: KeyRing
    rules: list[Rule] = field(default_factory=list)
    trusted: set[str] = field(default_factory=set)  # names of servers whose tokens may be exchanged here
    resources: set[str] = field(default_factory=set)  # RFC 8707 names of its API besides the audience
    lifetime: int = 3600  # s
    id_keys: KeyRing | None = None  # of ID tokens, where access tokens are for nobody else to verify

    @property
    def published_keys(self) -> KeyRing:
        """The keys that everybody may verify with."""
        return self.id_keys or self.keys

    @property
    def path(self) -> str:
        """The part of the issuer after the org's URL."""
        return "" if self.name == "org" else f"/oauth2/{self.name}"

    @property
    def endpoints(self) -> str:
        """The path under which its endpoints stand."""
        return "/oauth2/v1" if self.name == "org" else f"{self.path}/v1"


@dataclass
class Tenant:
    """The org at ``url``; what it has seen is kept to refuse replays."""

    url: str
    users: dict[str, User]
    clients: dict[str, Client]
    servers: dict[str, Server]
    workloads: Workloads
    event_keys: KeyRing  # the org's public ones, by which it signs what it tells of its users
    proxy_url: str = "http://127.0.0.1:8080"  # who is told unless said
    tls_url: str | None = None  # where clients show certificates
    faults: Faults = field(default_factory=Faults)
    token_exchange_licensed: bool = True
    # The last is in force.
    dpop_nonces: list[str] = field(default_factory=lambda: [secrets.token_urlsafe(16)])
    seen_assertions: set[str] = field(default_factory=set)
    seen_proofs: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)  # jti of tokens
    opaque: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    trusts: dict[str, KeyRing] = field(default_factory=dict)  # issuers whose ID-JAGs are redeemed here
    scope_by_assertion: bool = False  # where one is redeemed no scope may be named: it has them
    id_jags: Counter[str] = field(default_factory=Counter)  # made for each user
    consents: set[tuple[str, str]] = field(default_factory=set)  # of users, to resources
    consent_handles: dict[str, tuple[str, str]] = field(default_factory=dict)

    def now(self) -> float:
        """The org's clock, epoch seconds, right or wrong."""
        return time.time() + self.faults.clock_offset

    def issuer(self, server: str) -> str:
        """The issuer identifier of the server of that name."""
        return self.url + self.servers[server].path

    def server_of(self, issuer: object) -> Server | None:
        """The server whose issuer identifier that is."""
        return next((server for server in self.servers.values() if self.url + server.path == issuer), None)

    def client_of(self, client_id: object) -> Client | None:
        """The app of that client id."""
        return next((client for client in self.clients.values() if client.id == client_id), None)

    def user(self, login: str) -> User:
        """The user of that login, hired on the spot where there is none."""
        uid = "00u" + sha256(login.encode()).hexdigest()[:17]
        return self.users.setdefault(login, User(login, uid, login.title()))

    def renew_dpop_nonce(self) -> str:
        """Puts a fresh nonce in force; the one before stays good, older ones end."""
        self.dpop_nonces = [self.dpop_nonces[-1], secrets.token_urlsafe(16)]
        return self.dpop_nonces[-1]
