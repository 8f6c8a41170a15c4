"""What we publish ourselves on the public port: how to get tokens for a route (RFC 9728), and our public keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..config.models import Route
from ..downstream.request import Downstream, parse_host
from ..errors import NoRoute, PathRefused
from ..http.bearer import BEARER_ALONE, Schemes
from ..http.routes import RouteTable
from .protected_resource import WELL_KNOWN, build_document

_WELL_KNOWN = WELL_KNOWN.encode("ascii")


class Documents:
    """``issuers`` made the tokens that routes take, and ``schemes`` and ``certificates`` say what they may be bound to.

    ``jwks_path`` is where ``read_jwks`` is served, if at all. Without ``routes`` no resource is described.
    """

    def __init__(
        self,
        routes: RouteTable[Route] | None,
        *,
        issuers: Sequence[str] = (),
        schemes: Schemes = BEARER_ALONE,
        certificates: bool = False,
        jwks_path: str | None = None,
        read_jwks: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._routes = routes
        self._paths = {route.name: route.path.rstrip("/") for route in routes or ()}
        self._issuers = tuple(issuers)
        self._schemes = schemes
        self._certificates = certificates
        self._jwks_path = None if jwks_path is None else jwks_path.encode("ascii")
        self._read_jwks = read_jwks

    def find(self, downstream: Downstream) -> bytes | None:
        """The document that a request asks for, as JSON; None where it asks for none of ours."""
        if downstream.method not in {"GET", "HEAD"}:
            return None
        path = downstream.raw_path
        if path == self._jwks_path:
            return json.dumps(self._read_jwks()).encode()
        if self._routes is None or not path.startswith(_WELL_KNOWN):
            return None
        resource_path = path.removeprefix(_WELL_KNOWN)
        host = parse_host(downstream.host_field)
        try:
            route, _ = self._routes.match(resource_path or b"/", host, downstream.method)
        except (NoRoute, PathRefused):
            return None
        resource = downstream.origin + resource_path.decode("ascii")
        document = build_document(
            resource,
            self._issuers,
            route.required_scopes,
            schemes=self._schemes,
            certificates=self._certificates,
        )
        return json.dumps(document).encode()

    def metadata_url(self, downstream: Downstream) -> str | None:
        """The URL that a challenge names (RFC 9728 §5.1): the document of the matched route, if there is one."""
        if self._routes is None:
            return None
        return f"{downstream.origin}{WELL_KNOWN}{self._paths.get(downstream.route, '')}"
