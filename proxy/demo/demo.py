"""The whole stage on loopback: the org, the sample API, and the proxy's configuration for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from .authorization_server import build_authorization_server
from .certificates import Authority, build_server_context
from .clients import ClientFiles, Way
from .configuration import add_id_token_routes, build_settings
from .faults import Calls, Faults
from .listener import Listener
from .orders_api import build_orders_api
from .org import build_partner, build_protections, build_tenant
from .resource import Keys, Resource
from .tenant import Tenant
from .tokens import mint, mint_id_token, mint_opaque
from .wire import API, Recorded, Wire


class Demo:
    """``async with Demo() as demo`` serves until the block ends.

    ``name`` chooses the signing keys: two demos of one name in one process share them. Ports of 0 are any free.
    """

    tenant: Tenant
    partner: Tenant
    partner_server: Listener
    resource: Resource
    authorization_server: Listener
    orders_api: Listener
    authority: Authority
    client_files: ClientFiles

    def __init__(
        self,
        *,
        name: str = "demo",
        host: str = "127.0.0.1",
        authorization_server_port: int = 0,
        api_port: int = 0,
    ) -> None:
        self._name = name
        self._host = host
        self._ports = (authorization_server_port, api_port)
        self._client_key = ec.generate_private_key(ec.SECP256R1())
        self._stack = AsyncExitStack()
        self._folder: Path
        self._authorization_wire: Wire
        self._partner_wire: Wire
        self._api_wire: Wire

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="obo-proxy-demo-")))
            self.authority = Authority(self._folder)
            self.client_files = ClientFiles(self._folder, self.authority, self._client_key)
            self.authorization_server = await stack.enter_async_context(
                Listener(self._build_authorization_server, host=self._host, port=self._ports[0])
            )
            self.partner_server = await stack.enter_async_context(
                Listener(self._build_partner_server, host=self._host)
            )
            await stack.enter_async_context(self._build_tls_listener())
            self.orders_api = await stack.enter_async_context(
                Listener(self._build_orders_api, host=self._host, port=self._ports[1])
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def org_url(self) -> str:
        """The base URL of all authorization servers."""
        return self.tenant.url

    @property
    def api_url(self) -> str:
        """The sample API's base URL."""
        return self.orders_api.url

    @property
    def faults(self) -> Faults:
        """The fault switch of both servers."""
        return self.tenant.faults

    @property
    def calls(self) -> Calls:
        """Counts at the authorization servers: ``token``, ``keys``, …, and by grant, such as ``token_exchange``."""
        return self._authorization_wire.calls

    @property
    def partner_calls(self) -> Calls:
        """Counts at the other company's server."""
        return self._partner_wire.calls

    @property
    def requests(self) -> deque[Recorded]:
        """What reached the authorization servers, oldest first."""
        return self._authorization_wire.requests

    @property
    def api_calls(self) -> Calls:
        """Counts at the sample API, all as ``api``."""
        return self._api_wire.calls

    @property
    def api_requests(self) -> deque[Recorded]:
        """What reached the sample API, oldest first."""
        return self._api_wire.requests

    @property
    def private_key_file(self) -> Path:
        """The private key of the client ``obo-proxy-key``, as PEM."""
        return self.client_files.private_key_file

    @property
    def private_key_id(self) -> str:
        """Its key id."""
        return self.client_files.private_key_id

    def issuer(self, server: str = "default") -> str:
        """The issuer identifier of the server of that name: default, orders, payroll or org."""
        return self.tenant.issuer(server)

    def mint(
        self,
        user: str = "alice",
        *,
        server: str = "default",
        audience: str | Sequence[str] | None = None,
        scopes: Sequence[str] = ("openid", "profile", "orders:read"),
        expires_in: float | None = None,
        client_id: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """A fresh token of that user; see ``tokens.mint``. A user that is not in the directory joins it."""
        return mint(
            self.tenant,
            user,
            server=server,
            audience=audience,
            scopes=scopes,
            expires_in=expires_in,
            client_id=client_id,
            claims=claims,
        )

    def mint_id_token(self, user: str = "alice", *, expires_in: float | None = None) -> str:
        """A fresh ID token of that user, by the org itself, for the web app."""
        return mint_id_token(self.tenant, user, expires_in=expires_in)

    def mint_opaque(self, user: str = "alice", **wishes: Any) -> str:
        """A reference that only introspection can read, to a token as ``mint`` would make it."""
        return mint_opaque(self.tenant, user, **wishes)

    def demand_dpop(self) -> None:
        """The org no longer lets the service clients go without DPoP."""
        for client in self.tenant.clients.values():
            client.dpop_required = client.service

    def settings(
        self,
        *,
        private_key_jwt: bool = False,
        way: Way | None = None,
        dpop: bool = False,
        id_jag: bool = False,
        **overrides: Any,
    ) -> dict[str, Any]:
        """The proxy's raw configuration for this stage; ``overrides`` replace whole top-level keys.

        With ``id_jag`` there are routes that take ID tokens: one to another company, one that wants consent.
        ``way`` is how the proxy proves who it is, by a secret unless said; ``private_key_jwt`` is one.
        """
        way = "private_key_jwt" if private_key_jwt else way
        client = self.client_files.build_client(self.tenant, way) if way else None
        ca_file = self.authority.ca_file if way in self.client_files.pairs else None
        raw = build_settings(self.tenant, self.api_url, client=client, ca_file=ca_file, dpop=dpop)
        if id_jag:
            add_id_token_routes(raw, self.tenant, self.partner, self.api_url)
        return raw | overrides

    def _build_tls_listener(self) -> Listener:
        """The same authorization servers where clients show certificates."""
        own = self.authority.issue("server", host=self._host)
        self_signed = self.client_files.pairs["self_signed_tls_client_auth"]
        tls = build_server_context(own, self.authority.ca_file, self_signed.cert_file)
        listener = Listener(lambda _: self._authorization_wire, host=self._host, tls=tls)
        self.tenant.tls_url = listener.url
        return listener

    def _build_authorization_server(self, url: str) -> Wire:
        self.tenant = build_tenant(url, name=self._name, client_key=self._client_key)
        self.client_files.register(self.tenant)
        self._authorization_wire = build_authorization_server(self.tenant)
        return self._authorization_wire

    def _build_partner_server(self, url: str) -> Wire:
        self.partner = build_partner(url, self.tenant, name=self._name)
        self._partner_wire = build_authorization_server(self.partner)
        return self._partner_wire

    def _build_orders_api(self, url: str) -> Wire:
        self.resource = Resource(build_protections(self.tenant, self.partner), self._find_keys)
        self._api_wire = Wire(build_orders_api(self.resource), self.tenant, lambda path: API)
        return self._api_wire

    async def _find_keys(self, issuer: str) -> Keys:
        """Straight from the tenant: the API does not depend on the authorization server being up."""
        server = self.tenant.server_of(issuer) or self.partner.server_of(issuer)
        return [] if server is None else server.keys.published
