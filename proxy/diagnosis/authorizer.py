"""The authorizer that runs, asked as each gateway would ask it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..authorizer.authorizer import AUTHORIZATION
from ..config import models
from ..errors import UpstreamError
from ..http.headers import Field, values
from ..runtime import Clock, Sweep
from ..upstream import Options, Response, Upstream, parse_origin
from .finding import Finding, examine

_OPTIONS = Options(connect=2.0, response=15.0, idle=15.0, max_connections=8)
_ANYWHERE: Mapping[str, str] = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_START_IT = (
    "Start obo-proxy with this configuration, and check again: what gateways are told shows only then."
)
_COMPARE = (
    "Compare with the other findings. If they are well, the obo-proxy that runs there has another configuration, or"
    " this machine is none of its authorizer.allowed_peers."
)

# Method, path and fields with which each gateway asks for the method and target of a host.
_Ask = Callable[[str, str, str], tuple[str, str, list[Field]]]


def _ask_envoy(method: str, target: str, host: str) -> tuple[str, str, list[Field]]:
    return method, f"/envoy{target}", [(b"host", host.encode())]


def _ask_nginx(method: str, target: str, host: str) -> tuple[str, str, list[Field]]:
    original = [(b"x-original-method", method.encode()), (b"x-original-uri", target.encode())]
    return "GET", "/nginx", [(b"host", host.encode()), *original]


def _ask_forward(method: str, target: str, host: str) -> tuple[str, str, list[Field]]:
    original = [
        (b"x-forwarded-method", method.encode()),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", host.encode()),
        (b"x-forwarded-uri", target.encode()),
    ]
    return "GET", "/forward", [(b"host", b"localhost"), *original]


_DIALECTS: Mapping[str, _Ask] = {"envoy": _ask_envoy, "nginx": _ask_nginx, "forward": _ask_forward}


class AuthorizerExamination:
    """Asks at ``authorizer``'s address; ``sweep`` must run."""

    def __init__(self, authorizer: models.Authorizer, clock: Clock, sweep: Sweep) -> None:
        host = _ANYWHERE.get(authorizer.host, authorizer.host)
        place = authorizer.host
        if authorizer.socket_path is None:
            place = f"http://{f'[{host}]' if ':' in host else host}:{authorizer.port}"
        self._clock = clock
        self._upstream = Upstream(parse_origin(place, None), _OPTIONS, sweep)

    async def examine(self, route: models.Route, token: str | None, *, needs_token: bool) -> Finding:
        """Ask for ``route``, with a user's ``token`` or without; where it needs one, that must be asked for."""
        asks_for_token = needs_token and token is None

        async def ask() -> Finding:
            for dialect in _DIALECTS:
                try:
                    response = await self._ask(dialect, route, token)
                except UpstreamError as error:
                    return Finding(
                        "authorizer", route.name, "warn", f"nobody answers there: {error}", _START_IT
                    )
                response.close()
                if response.status != (401 if asks_for_token else 200):
                    return _build_failure(dialect, route, response)
                if (
                    not asks_for_token
                    and route.grant != "none"
                    and not values(response.headers, AUTHORIZATION)
                ):
                    return Finding(
                        "authorizer", route.name, "fail", f"{dialect}: allowed, without a token", _COMPARE
                    )
            told = "a token is asked for" if asks_for_token else "allowed"
            return Finding("authorizer", route.name, "pass", f"{told}, as {', '.join(_DIALECTS)} ask")

        return await examine(self._clock, "authorizer", route.name, ask)

    async def aclose(self) -> None:
        await self._upstream.aclose()

    async def _ask(self, dialect: str, route: models.Route, token: str | None) -> Response:
        wanted = route.methods[0] if route.methods else "GET"
        method, target, fields = _DIALECTS[dialect](wanted, route.path, route.host or "localhost")
        if token is not None:
            fields.append((AUTHORIZATION, f"{route.token_in.scheme} {token}".encode("latin-1")))
        return await self._upstream.send(method, target.encode("ascii"), fields, body=None, idempotent=False)


def _build_failure(dialect: str, route: models.Route, response: Response) -> Finding:
    code = b"".join(values(response.headers, b"x-obo-code")).decode("latin-1") or None
    told = f"{dialect}: answered by {response.status}" + (f" ({code})" if code else "")
    return Finding("authorizer", route.name, "fail", told, _COMPARE, code=code)
