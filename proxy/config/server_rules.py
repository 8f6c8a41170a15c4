"""What must hold for an authorization server."""

from __future__ import annotations

from collections.abc import Iterator

from .client_rules import find_client_faults
from .faults import Fault, got
from .files import check_ca_file
from .models import AuthorizationServer
from .urls import OKTA_DOMAINS, check_secure_url, check_url, parse_url


def find_server_faults(place: str, server: AuthorizationServer) -> Iterator[Fault]:
    """Every fault of ``server`` in itself."""
    yield from check_secure_url(f"{place}.issuer", server.issuer, allow_http=server.allow_http)
    yield from _find_console_address(f"{place}.issuer", server.issuer)
    for key in ("token_url", "jwks_url", "introspection_url"):
        if url := getattr(server, key):
            yield from check_secure_url(f"{place}.{key}", url, allow_http=server.allow_http, query=True)
    if server.proxy_url:
        yield from check_url(f"{place}.proxy_url", server.proxy_url, path=False, userinfo=True)
    if server.timeout == 0:
        yield Fault(f"{place}.timeout", "must be more than 0")
    yield from check_ca_file(f"{place}.ca_file", server.ca_file)
    if server.client:
        yield from find_client_faults(f"{place}.client", server.client)
        yield from _find_plain_urls(place, server)


def _find_plain_urls(place: str, server: AuthorizationServer) -> Iterator[Fault]:
    """A certificate is shown in a TLS handshake; where the metadata is to name the URLs, it is seen there."""
    if server.client and server.client.shows_certificate:
        for key in ("token_url", "introspection_url"):
            url = getattr(server, key)
            if url and url.startswith("http:"):
                yield Fault(
                    f"{place}.{key}", f"plain http, where auth: {server.client.auth} needs https{got(url)}"
                )


def is_okta_org(issuer: str) -> bool:
    """Whether ``issuer`` is an Okta org authorization server: the org's address without ``/oauth2/…``."""
    url = parse_url(issuer)
    if url is None or not (url.hostname or "").endswith(OKTA_DOMAINS):
        return False
    return not url.path.removeprefix("/oauth2").strip("/")


def _find_console_address(place: str, issuer: str) -> Iterator[Fault]:
    url = parse_url(issuer)
    host = url.hostname or "" if url else ""
    if host.endswith(OKTA_DOMAINS) and host.split(".")[0].endswith("-admin"):
        yield Fault(place, f"the address of Okta's Admin Console: leave out '-admin'{got(issuer)}")
