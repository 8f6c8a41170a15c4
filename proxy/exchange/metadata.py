"""RFC 8414: where an authorization server says its endpoints are.

Not here: the fetching. The document is believed only where it names the issuer it was asked about (§3.3)
and keeps to the issuer's own host, so that nobody can point us to another server's token URL (RFC 9700 §4.4).
Endpoints for mutual TLS (RFC 8705 §5) may also be on a host below it, for a port or name of its own is usual there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..config.urls import is_confidential
from ..errors import ExchangeMisconfigured
from ..jose.encoding import parse_json_object


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints used here; None where the server does not name one."""

    issuer: str
    token_url: str | None = None
    jwks_url: str | None = None
    introspection_url: str | None = None
    authorization_url: str | None = None


def build_metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where to look: RFC 8414 §3.1, between host and path, then as OpenID Connect Discovery 1.0 §4 appends it."""
    scheme, host, path, _, _ = urlsplit(issuer)
    path = path.rstrip("/")
    inserted = urlunsplit((scheme, host, f"/.well-known/oauth-authorization-server{path}", "", ""))
    appended = urlunsplit((scheme, host, f"{path}/.well-known/openid-configuration", "", ""))
    return inserted, appended


def parse_metadata(body: bytes, issuer: str, *, allow_http: bool, mutual_tls: bool = False) -> Metadata:
    """The metadata of ``issuer``; with ``mutual_tls`` the endpoints are those for it where there are such.

    Raises ExchangeMisconfigured where the document is not to be believed.
    """
    try:
        document = parse_json_object(body)
    except ValueError as error:
        raise ExchangeMisconfigured(f"the metadata of {issuer} is no JSON object: {error}") from error
    if document.get("issuer") != issuer:
        raise ExchangeMisconfigured(
            f"the metadata found for {issuer} names another issuer: {document.get('issuer')!r:.200}",
            remedy="Set issuer to the metadata's own, letter by letter; with a custom domain it is that domain's.",
        )
    aliases = document.get("mtls_endpoint_aliases") if mutual_tls else None

    def parse(name: str) -> str | None:
        if isinstance(aliases, dict) and name in aliases:
            return _parse_endpoint(aliases, name, issuer, allow_http=allow_http, below=True)
        return _parse_endpoint(document, name, issuer, allow_http=allow_http)

    return Metadata(
        issuer,
        token_url=parse("token_endpoint"),
        jwks_url=_parse_endpoint(document, "jwks_uri", issuer, allow_http=allow_http),
        introspection_url=parse("introspection_endpoint"),
        authorization_url=_parse_endpoint(document, "authorization_endpoint", issuer, allow_http=allow_http),
    )


def is_own_page(url: str, issuer: str) -> bool:
    """Whether ``url``, where a user is to be sent, is the issuer's: https, on its host and port.

    An issuer in plain http, which is one on loopback, has its https on another port.
    """
    page, own = urlsplit(url), urlsplit(issuer)
    try:
        same_port = own.scheme == "http" or (page.port or 443) == (own.port or 443)
    except ValueError:  # no port at all
        return False
    return page.scheme == "https" and page.hostname == own.hostname and same_port


def _parse_endpoint(
    document: Mapping[str, Any], name: str, issuer: str, *, allow_http: bool, below: bool = False
) -> str | None:
    url = document.get(name)
    if url is None:
        return None
    if not isinstance(url, str) or not is_confidential(url, allow_http=allow_http):
        raise ExchangeMisconfigured(f"the metadata of {issuer} has a {name} that is no https URL")
    host, own = urlsplit(url).hostname or "", urlsplit(issuer).hostname
    if host != own and not (below and host.endswith(f".{own}")):
        raise ExchangeMisconfigured(
            f"the metadata of {issuer} has a {name} on another host",
            remedy="If that host is meant, name the endpoint in the configuration (token_url, jwks_url).",
        )
    return url
