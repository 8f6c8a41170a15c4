"""The configuration as frozen values: one class for each mapping of the file, one field for each key.

Only shapes stand here; what must hold between keys is in ``rules``. Durations are seconds, sizes bytes.
No secret has a ``repr``. ``shape`` builds them with pydantic, which whoever merely holds them does not load.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal

from .units import Duration, FilePath, Network, Secret, Size, Text, Texts, Written
from .urls import is_loopback

Name = Annotated[str, Written(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Port = Annotated[int, Written(ge=0, le=65535)]
Count = Annotated[int, Written(ge=1)]
SigningAlg = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
VerifyAlg = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ClientAuth = Literal[
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "assertion_file",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]
Grant = Literal["token_exchange", "id_jag", "identity_chaining", "client_credentials", "jwt_bearer", "none"]
_ACTOR_SCHEMA = {
    "anyOf": [
        {"type": "boolean"},
        {"type": "string", "pattern": r"\$\{"},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "string", "minLength": 1} for name in ("file", "header", "type")},
        },
        {"type": "null"},
    ],
    "description": "true: our own token; {file, type} or {header, type}",
}
TWO_LEGS: frozenset[str] = frozenset({"id_jag", "identity_chaining"})
NEEDS_USER: frozenset[str] = TWO_LEGS | {"token_exchange", "jwt_bearer"}  # the grants on a user's behalf


@dataclass(frozen=True, kw_only=True)
class Section:
    """A mapping of the file: frozen, and without unknown keys."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "hide_input_in_errors": True}

    def is_given(self, key: str) -> bool:
        """Whether ``key``, which may be left out, has another value than where it is."""
        field = next(field for field in fields(self) if field.name == key)
        default = field.default if field.default_factory is MISSING else field.default_factory()
        return bool(getattr(self, key) != default)


@dataclass(frozen=True, kw_only=True)
class ListenTLS(Section):
    """The certificate with which we serve HTTPS, and who issues those that callers may show."""

    cert_file: FilePath
    key_file: FilePath
    client_ca_file: FilePath | None = None


@dataclass(frozen=True, kw_only=True)
class Listen(Section):
    """The public side."""

    host: Text = "127.0.0.1"
    port: Port = 8080
    external_url: Text | None = None
    tls: ListenTLS | None = None
    workers: Annotated[int, Written(ge=1, le=256)] = 1
    trusted_proxies: tuple[Network, ...] = ()
    strip_headers: tuple[Text, ...] = ()
    max_header_bytes: Size = 64 * 1024
    max_header_fields: Count = 100
    max_body_bytes: Size | None = None
    header_timeout: Duration = 10.0
    keep_alive_timeout: Duration = 75.0
    max_connections: Count = 10_000
    drain_timeout: Duration = 30.0
    server_timing: bool = False
    http2: bool = False


@dataclass(frozen=True, kw_only=True)
class Admin(Section):
    """The admin side."""

    host: Text = "127.0.0.1"
    port: Port = 9090
    token_file: FilePath | None = None


@dataclass(frozen=True, kw_only=True)
class Authorizer(Section):
    """Where gateways ask, and the application for its own header: a TCP port, or ``unix:`` and a path as ``host``."""

    host: Text = "127.0.0.1"
    port: Port = 8070
    allowed_peers: tuple[Network, ...] = ()

    @property
    def socket_path(self) -> str | None:
        """The path of the unix socket; None for a TCP port."""
        return self.host.removeprefix("unix:") if self.host.startswith("unix:") else None

    @property
    def on_this_machine(self) -> bool:
        """Whether nobody else can reach it."""
        return self.socket_path is not None or is_loopback(self.host)


@dataclass(frozen=True, kw_only=True)
class Client(Section):
    """Who we are at an authorization server, and how we prove it (RFC 6749 §2.3, RFC 7523, RFC 8705)."""

    id: Text | None = None
    auth: ClientAuth = "client_secret_basic"
    secret: Secret | None = None
    secret_file: FilePath | None = None
    private_key_file: FilePath | None = None
    key_id: Text | None = None
    signing_alg: SigningAlg | None = None
    certificate_file: FilePath | None = None
    send_chain: bool = False
    assertion_file: FilePath | None = None
    assertion_type: Literal["jwt-bearer", "jwt-spiffe"] = "jwt-bearer"
    cert_file: FilePath | None = None
    key_file: FilePath | None = None

    @property
    def shows_certificate(self) -> bool:
        """Whether it is known by the certificate of the TLS connection (RFC 8705 §2)."""
        return self.auth in ("tls_client_auth", "self_signed_tls_client_auth")


@dataclass(frozen=True, kw_only=True)
class AuthorizationServer(Section):
    """One authorization server; endpoints left out come from its metadata (RFC 8414)."""

    issuer: Text
    token_url: Text | None = None
    jwks_url: Text | None = None
    introspection_url: Text | None = None
    client: Client | None = None
    dpop: bool = False
    timeout: Duration = 5.0
    ca_file: FilePath | None = None
    proxy_url: Text | None = field(default=None, repr=False)  # may hold a password
    check_subject: bool = True
    allow_http: bool = False


@dataclass(frozen=True, kw_only=True)
class SubjectTokens(Section):
    """Tokens that callers may present."""

    authorization_server: Name
    expected_audience: Text
    client_ids: tuple[Text, ...] = ()
    required_scopes: tuple[Text, ...] = ()
    algorithms: Annotated[tuple[VerifyAlg, ...], Written(min_length=1)] = ("RS256", "ES256")
    clock_tolerance: Duration = 30.0
    introspect: bool = False
    dpop: Literal["refuse", "accept", "require"] = "refuse"
    dpop_nonce: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenIn(Section):
    """Where the caller's token stands: in a header, or in a query parameter."""

    header: Text | None = None
    scheme: str = "Bearer"
    query: Text | None = None


@dataclass(frozen=True, kw_only=True)
class TokenOut(Section):
    """Where the token stands on the way up: in a header, a query parameter or a cookie."""

    header: Text | None = None
    scheme: str = "Bearer"
    query: Text | None = None
    cookie: Text | None = None

    @property
    def is_usual(self) -> bool:
        """Whether it stands where RFC 6750 §2.1 wants it."""
        return self.header is not None and self.header.lower() == "authorization" and self.scheme == "Bearer"


@dataclass(frozen=True, kw_only=True)
class Actor(Section):
    """Whose token goes along as the one who acts for the user (RFC 8693 §4.1): ours, a file's or the caller's."""

    file: FilePath | None = None
    header: Text | None = None
    type: Text = "jwt"

    @property
    def is_ours(self) -> bool:
        """Whether it is our own client-credentials token."""
        return self.file is None and self.header is None


def parse_actor(value: Any) -> Any:
    """``false``, ``true`` or a mapping that says where; anything else raises ValueError."""
    if value is None or isinstance(value, bool):
        return Actor() if value else None
    if isinstance(value, dict) and value and all(value[key] is None for key in value.keys() - {"type"}):
        raise ValueError("needs file or header; true is our own token")
    if isinstance(value, dict | Actor):
        return value
    raise ValueError("neither true, false nor a mapping with file or header")


def show_actor(actor: Actor | None) -> Any:
    """As it is written."""
    if actor is None or actor.is_ours:
        return actor is not None
    return {**vars(actor), "file": actor.file and str(actor.file)}


@dataclass(frozen=True, kw_only=True)
class Timeouts(Section):
    """How long the upstream may take to connect, to begin its response, and between two reads."""

    connect: Duration = 5.0
    response: Duration = 60.0
    idle: Duration = 300.0


@dataclass(frozen=True, kw_only=True)
class UpstreamTLS(Section):
    """How the upstream's certificate is checked, and ours shown."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    server_name: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Route(Section):
    """One API, and the token it is called with."""

    name: Name
    path: Text
    host: Text | None = None
    methods: tuple[Text, ...] = ()
    upstream: Text
    path_rewrite: str | None = None
    preserve_host: bool = False
    grant: Grant = "token_exchange"
    identity_provider: Name | None = None
    authorization_server: Name | None = None
    audience: Texts = ()
    resource: Texts = ()
    scopes: tuple[Text, ...] = ()
    subject_token_type: Literal["access_token", "jwt", "id_token"] = "access_token"
    subject_token_file: FilePath | None = None
    token_in: TokenIn = TokenIn(header="Authorization")
    requested_token_type: Text | None = None
    token_out: TokenOut = TokenOut(header="Authorization")
    authorization_details: tuple[dict[Text, Any], ...] = field(default=(), repr=False)
    actor: Annotated[Actor | None, Written(parse_actor, _ACTOR_SCHEMA)] = None
    request_context: tuple[Literal["req_ip", "method", "host", "path"], ...] = ()
    allowed_actors: tuple[Text, ...] | None = None
    max_actors: Annotated[int, Written(ge=0, le=64)] = 4
    extra_parameters: dict[Text, str] = field(default_factory=dict, repr=False)
    required_scopes: tuple[Text, ...] = ()
    acr_values: tuple[Text, ...] = ()
    max_age: Duration | None = None
    cors_preflight: bool = False
    allowed_origins: tuple[Text, ...] = ()
    websocket: bool = True
    on_token_expiry: Literal["continue", "close"] = "continue"
    timeouts: Timeouts = Timeouts()
    tls: UpstreamTLS | None = None
    max_connections: Count = 256
    http2: bool = False


@dataclass(frozen=True, kw_only=True)
class SharedCache(Section):
    """A Valkey or Redis that replicas share."""

    url: Secret
    encryption_key_file: FilePath


@dataclass(frozen=True, kw_only=True)
class Cache(Section):
    """The cache of exchanged tokens."""

    max_entries: Count = 10_000
    max_ttl: Duration = 3600.0
    expiry_leeway: Duration = 30.0
    refresh_ahead: Duration = 60.0
    revalidate_after: Duration = 300.0
    key: Literal["subject", "token"] = "subject"
    ignore_claims: tuple[Text, ...] = ()
    shared: SharedCache | None = None


SubjectMember = Literal["sub", "email", "phone_number", "id", "uri"]  # of a subject identifier (RFC 9493 §3)


@dataclass(frozen=True, kw_only=True)
class Signals(Section):
    """Who tells us that users' access has ended: an org, with its events (RFC 8417) and its Universal Logout."""

    authorization_server: Name
    issuer: Text
    jwks_url: Text
    audience: Text
    path: Text
    revocation_path: Text | None = None
    match: Annotated[dict[SubjectMember, Text], Written(min_length=1)] = field(
        default_factory=lambda: {"sub": "uid", "email": "sub"}
    )


@dataclass(frozen=True, kw_only=True)
class Log(Section):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    access: bool = False


@dataclass(frozen=True, kw_only=True)
class Tracing(Section):
    """Where spans go."""

    otlp_endpoint: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Settings(Section):
    """The whole configuration."""

    listen: Listen = Listen()
    admin: Admin = Admin()
    authorizer: Authorizer | None = None
    authorization_servers: dict[Name, AuthorizationServer] = field(default_factory=dict)
    subject_tokens: tuple[SubjectTokens, ...] = ()
    routes: Annotated[tuple[Route, ...], Written(min_length=1)]
    cache: Cache = Cache()
    signals: tuple[Signals, ...] = ()
    protected_resource_metadata: bool = False
    publish_jwks: Text | None = None
    log: Log = Log()
    tracing: Tracing = Tracing()

    def authorization_server_of(self, route: Route) -> str | None:
        """The name of the server at which ``route`` gets its token; None where it needs none."""
        if route.grant == "none":
            return None
        return route.authorization_server or next(iter(self.authorization_servers), None)


Raw = dict[str, Any]
