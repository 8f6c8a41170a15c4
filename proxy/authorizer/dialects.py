"""How gateways ask: each function makes the original request out of theirs, or raises BadRequest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import BadRequest
from ..http.asgi import Scope
from .original import Original, read_host, read_method, read_target, take_one, without

ENVOY_PREFIX = b"/envoy"
_NGINX = (b"x-original-method", b"x-original-uri")
# Where ``Host`` tells the host, nobody but the caller need have set this, also where the gateway is trusted.
_OTHER_HOST = b"x-forwarded-host"
_FORWARD = (b"x-forwarded-method", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-uri")
# Traefik says ws and wss of a websocket's handshake.
_SCHEMES: Mapping[bytes, str] = {b"http": "http", b"https": "https", b"ws": "http", b"wss": "https"}


def read_envoy(scope: Scope) -> Original:
    """Envoy's ``ext_authz`` over HTTP: the original itself, with ``path_prefix`` before its path."""
    query = scope["query_string"]
    target = scope["raw_path"].removeprefix(ENVOY_PREFIX) + (b"?" + query if query else b"")
    take_one(scope["headers"], b"host")
    fields = without(scope["headers"], (_OTHER_HOST,))
    return Original(scope["method"], read_target(target), scope["scheme"], fields)


def read_nginx(scope: Scope) -> Original:
    """What nginx asks by ``auth_request``: ``X-Original-Method``, ``X-Original-URI``, and the other fields."""
    fields = scope["headers"]
    method, target = (take_one(fields, name) for name in _NGINX)
    take_one(fields, b"host")
    others = without(fields, (*_NGINX, _OTHER_HOST))
    return Original(read_method(method), read_target(target), scope["scheme"], others)


def read_forward(scope: Scope) -> Original:
    """What Traefik and Caddy ask: ``X-Forwarded-Method``, ``-Proto``, ``-Host``, ``-Uri``, and the other fields."""
    fields = scope["headers"]
    method, proto, host, target = (take_one(fields, name) for name in _FORWARD)
    scheme = _SCHEMES.get(proto.lower())
    if scheme is None:
        raise BadRequest("x-forwarded-proto is neither http nor https")
    others = without(fields, (*_FORWARD, b"host"))
    return Original(read_method(method), read_target(target), scheme, [(b"host", read_host(host)), *others])


READERS: Mapping[str, Callable[[Scope], Original]] = {
    "envoy": read_envoy,
    "nginx": read_nginx,
    "forward": read_forward,
}
