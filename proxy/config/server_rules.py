"""What must hold for an authorization server and for who we are there."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import Fault, got
from .files import check_ca_file, check_private_key, check_secret_file
from .models import AuthorizationServer, Client
from .urls import check_secure_url, check_url, parse_url

_OKTA_DOMAINS = (".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com", ".okta.mil")


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
        yield from _find_client_faults(f"{place}.client", server.client)


def is_okta_org(issuer: str) -> bool:
    """Whether ``issuer`` is an Okta org authorization server: the org's address without ``/oauth2/…``."""
    url = parse_url(issuer)
    if url is None or not (url.hostname or "").endswith(_OKTA_DOMAINS):
        return False
    return not url.path.removeprefix("/oauth2").strip("/")


def _find_console_address(place: str, issuer: str) -> Iterator[Fault]:
    url = parse_url(issuer)
    host = url.hostname or "" if url else ""
    if host.endswith(_OKTA_DOMAINS) and host.split(".")[0].endswith("-admin"):
        yield Fault(place, f"the address of Okta's Admin Console: leave out '-admin'{got(issuer)}")


def _find_client_faults(place: str, client: Client) -> Iterator[Fault]:
    if client.auth == "private_key_jwt":
        yield from _find_key_faults(place, client)
    else:
        yield from _find_secret_faults(place, client)
    if client.secret_file:
        yield from check_secret_file(f"{place}.secret_file", client.secret_file)
    yield from check_private_key(f"{place}.private_key_file", client)


def _find_key_faults(place: str, client: Client) -> Iterator[Fault]:
    if client.private_key_file is None:
        yield Fault(f"{place}.private_key_file", "required with auth: private_key_jwt")
    for key in ("secret", "secret_file"):
        if getattr(client, key) is not None:
            yield Fault(f"{place}.{key}", "not used with auth: private_key_jwt, so leave it out")


def _find_secret_faults(place: str, client: Client) -> Iterator[Fault]:
    if client.secret is None and client.secret_file is None:
        yield Fault(f"{place}.secret", f"required, or secret_file, with auth: {client.auth}")
    elif client.secret is not None and client.secret_file is not None:
        yield Fault(f"{place}.secret", "given beside secret_file: leave one out")
    if client.secret is not None and not client.secret.get_secret_value().strip():
        yield Fault(f"{place}.secret", "empty")
    for key in ("private_key_file", "key_id", "signing_alg"):
        if getattr(client, key) is not None:
            yield Fault(f"{place}.{key}", f"not used with auth: {client.auth}, but with private_key_jwt")
