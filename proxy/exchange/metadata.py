"""RFC 8414: where an authorization server says its endpoints are.

Not here: the fetching. The document is believed only where it names the issuer it was asked about (§3.3)
and keeps to the issuer's own host, so that nobody can point us to another server's token URL (RFC 9700 §4.4).
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


def parse_metadata(body: bytes, issuer: str, *, allow_http: bool) -> Metadata:
    """The metadata of ``issuer``. Raises ExchangeMisconfigured where the document is not to be believed."""
    try:
        document = parse_json_object(body)
    except ValueError as error:
        raise ExchangeMisconfigured(f"the metadata of {issuer} is no JSON object: {error}") from error
    if document.get("issuer") != issuer:
        raise ExchangeMisconfigured(
            f"the metadata found for {issuer} names another issuer: {document.get('issuer')!r:.200}",
            remedy="Set issuer to the metadata's own, letter by letter; with a custom domain it is that domain's.",
        )
    return Metadata(
        issuer,
        token_url=_parse_endpoint(document, "token_endpoint", issuer, allow_http=allow_http),
        jwks_url=_parse_endpoint(document, "jwks_uri", issuer, allow_http=allow_http),
        introspection_url=_parse_endpoint(document, "introspection_endpoint", issuer, allow_http=allow_http),
        authorization_url=_parse_endpoint(document, "authorization_endpoint", issuer, allow_http=allow_http),
    )


def _parse_endpoint(document: Mapping[str, Any], name: str, issuer: str, *, allow_http: bool) -> str | None:
    url = document.get(name)
    if url is None:
        return None
    if not isinstance(url, str) or not is_confidential(url, allow_http=allow_http):
        raise ExchangeMisconfigured(f"the metadata of {issuer} has a {name} that is no https URL")
    if urlsplit(url).hostname != urlsplit(issuer).hostname:
        raise ExchangeMisconfigured(
            f"the metadata of {issuer} has a {name} on another host",
            remedy="If that host is meant, name the endpoint in the configuration (token_url, jwks_url).",
        )
    return url
