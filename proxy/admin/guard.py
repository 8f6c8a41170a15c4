"""Who may ask the admin side for what: a Host that is ours, no other site's request, the token where one is set.

A browser sends whatever any site asks it to, also to loopback. It cannot be made to say another ``Host`` than
the name it looked up (so rebinding a name to our address shows), nor another ``Origin`` or ``Sec-Fetch-Site``.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable
from ipaddress import ip_address

from ..config.models import Admin
from ..config.secret_file import SecretFile
from ..http.asgi import ASGIApp, Message, Receive, Scope, Send
from ..http.headers import Fields
from .refusal import Refused

# Asked by orchestrators and load balancers, by whatever name and without any credential: they tell little.
OPEN = frozenset({"/healthz", "/readyz"})
SIGNED = frozenset({"/api/backchannel-logout"})  # what they bring is its own credential, from whatever site
HOST_FREE = OPEN | {"/metrics"}  # Prometheus comes by a service's name; counters tell a foreign site nothing
SAFE = frozenset({"GET", "HEAD"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS = {
    "cache-control": "no-store",
    # Everything comes from here; what a style or script would need to be inline for, is not done.
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",  # with no-referrer browsers would say "Origin: null" for our own forms
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_FIELDS = [(name.encode("ascii"), value.encode("ascii")) for name, value in _HEADERS.items()]
_CHALLENGES = 'Bearer realm="obo-proxy admin", Basic realm="obo-proxy admin", charset="UTF-8"'


class Guard:
    """ASGI middleware around the whole admin side."""

    def __init__(self, app: ASGIApp, read_settings: Callable[[], Admin]) -> None:
        self._app = app
        self._read_settings = read_settings
        self._file: SecretFile | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.decode("ascii") not in _HEADERS
                ]
                message["headers"] = [*kept, *_FIELDS]
            await send(message)

        try:
            self._check(scope)
        except Refused as refusal:
            await refusal.answer()(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers, path = scope["headers"], scope["path"]
        settings = self._read_settings()
        if path not in HOST_FREE:
            require_own_host(headers, settings.host, scope.get("server"))
        if scope["method"] not in SAFE and path not in SIGNED:
            require_same_origin(headers, scope["scheme"])
        if settings.token_file is not None and path not in OPEN | SIGNED:
            if self._file is None or self._file.path != settings.token_file:
                self._file = SecretFile(settings.token_file)
            require_token(headers, self._file)


def require_own_host(headers: Fields, configured: str, server: tuple[str, int] | None) -> None:
    """421 unless ``Host`` is the configured one, the address that was called, or this very machine's."""
    name, port = _split_host(_list(headers, b"host"))
    address, own_port = server or ("", 0)
    if name in LOOPBACK:
        return  # by any port: it may be a tunnel's other end
    if port == own_port and name in {configured.lower(), address.lower()}:
        return
    raise Refused(421, "This name is not the admin side's own: use its configured host, or a loopback name.")


def require_same_origin(headers: Fields, scheme: str) -> None:
    """403 for a request that a browser made for another site.

    Behind something that ends TLS the browser's scheme is not ours. It may differ where the browser itself, by
    a field that no script can set, says that the page is the origin that it asks; host and port never may.
    """
    fetch_site = next(iter(_list(headers, b"sec-fetch-site")), None)
    host = next(iter(_list(headers, b"host")), "")
    schemes = {scheme, "https"} if fetch_site == "same-origin" else {scheme}
    own = {f"{one}://{host}".lower() for one in schemes}
    if fetch_site not in (None, "same-origin", "none") or not own.issuperset(
        origin.lower() for origin in _list(headers, b"origin")
    ):
        raise Refused(403, "Another site made this request.")


def require_token(headers: Fields, file: SecretFile) -> None:
    """401 unless the token in ``file`` comes as bearer token, or as the password of a browser's own prompt."""
    try:
        expected = file.read()
    except OSError:
        expected = b""
    if not expected:
        raise Refused(503, "The admin token cannot be read; nobody is let in without it.")
    presented = _read_credential(_list(headers, b"authorization"))
    if not hmac.compare_digest(presented, expected):
        raise Refused(401, "The admin token is needed.", {"www-authenticate": _CHALLENGES})


def _list(headers: Fields, name: bytes) -> list[str]:
    """The values of the fields of that name, which ASGI gives in lower case."""
    return [value.decode("latin-1") for other, value in headers if other == name]


def _read_credential(values: list[str]) -> bytes:
    """Empty, which no token is, where there is none."""
    scheme, _, credential = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() == "bearer":
        return credential.strip().encode()
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(credential, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def _split_host(values: list[str]) -> tuple[str, int]:
    """Name and port of the one ``Host``; an empty name where there is not exactly one well-formed one."""
    if len(values) != 1:
        return "", 0
    name, separator, port = values[0].lower().rpartition(":")
    if not separator or values[0].endswith("]"):
        name, port = values[0].lower(), "80"
    if name.startswith("[") and name.endswith("]"):
        name = _normalize(name[1:-1])
    if not (port.isascii() and port.isdigit()):
        return "", 0
    return name, int(port)


def _normalize(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
