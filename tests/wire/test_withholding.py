"""The caller's credentials in every place, on every kind of route, in every kind of request: none of them goes up."""

from __future__ import annotations

import itertools
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import pytest
import pytest_asyncio

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import Running, running
from tests.support.raw_client import RawResponse, connected
from tests.support.recording_upstream import RecordingUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPAQUE = "ab+cd/m2.CBAl-J6q5~n_wQ0x+/9=="
OFFER = "base64url.bearer.authorization.obo."


class Request(NamedTuple):
    """What is added to a request: to its path, its query, its header fields and its trailers."""

    path: str = ""
    query: str = ""
    fields: tuple[str, ...] = ()
    trailers: tuple[str, ...] = ()

    def __add__(self, other: tuple) -> Request:  # type: ignore[override]
        path, query, fields, trailers = other
        both = "&".join(filter(None, (self.query, query)))
        return Request(self.path + path, both, self.fields + fields, self.trailers + trailers)


def b64(token: str) -> str:
    return urlsafe_b64encode(token.encode()).rstrip(b"=").decode()


def encode(token: str) -> str:
    """Each character, the hexadecimal digits in either case."""
    escapes = itertools.cycle(("%%%02x", "%%%02X"))
    return "".join(escape % ord(character) for escape, character in zip(escapes, token, strict=False))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda token: token,
    "encoded": encode,
    "partly encoded": lambda token: token[:7] + encode(token[7:19]) + token[19:],
    "encoded twice": lambda token: encode(token).replace("%", "%25"),
}

# Where a route of some kind takes its token from; all of these end here by their names.
NAMED: dict[str, Callable[[str], Request]] = {
    "Authorization": lambda token: Request(fields=(f"Authorization: Bearer {token}",)),
    "another scheme": lambda token: Request(fields=(f"authorization: DPoP {token}",)),
    "X-User-Token": lambda token: Request(fields=(f"X-User-Token: {token}",)),
    "X_User.Token": lambda token: Request(fields=(f"X_User.Token: {token}",)),
    "parameter": lambda token: Request(query=f"a=%41&access_token={encode(token)}&b"),
    "parameter, encoded": lambda token: Request(query=f"%61ccess%5ftoken={token.replace('+', '%2B')}"),
    "parameter, twice": lambda token: Request(query=f"access_token={encode(token)}&access_token={encode(token)}"),
    "subprotocol": lambda token: Request(fields=(f"Sec-WebSocket-Protocol: chat, {OFFER}{b64(token)}",)),
    "subprotocol alone": lambda token: Request(fields=(f"sec-websocket-protocol: {OFFER}{b64(token)}",)),
    "Proxy-Authorization": lambda token: Request(fields=(f"Proxy-Authorization: Bearer {token}",)),
    "Proxy_Authorization": lambda token: Request(fields=(f"Proxy_Authorization: Bearer {token}",)),
    "DPoP": lambda token: Request(fields=(f"DPoP: {token}",)),
    "X-Forwarded-Access-Token": lambda token: Request(fields=(f"X-Forwarded-Access-Token: {token}",)),
    "Connection": lambda token: Request(fields=(f"Authorization: Bearer {token}", "Connection: authorization")),
    "the page's parameter": lambda token: Request(fields=(f"Referer: https://a/?access_token={encode(token)}",)),
}  # fmt: skip
# Where a copy of it may stand, beside the token itself.
COPIES: dict[str, Callable[[str], Request]] = {
    "cookie": lambda copy: Request(fields=(f"Cookie: a=1; t={copy}; b",)),
    "Referer": lambda copy: Request(fields=(f"Referer: https://spa.example/?code={copy}",)),
    "parameter": lambda copy: Request(query=f"a=1&other={copy}&b=%20"),
    "name of a parameter": lambda copy: Request(query=copy),
    "field": lambda copy: Request(fields=(f"X-Own: {copy}",)),
    "field, twice": lambda copy: Request(fields=(f"X-Own: a={copy}", f"X-Own: {copy}; b")),
    "subprotocol": lambda copy: Request(fields=(f"Sec-WebSocket-Protocol: chat, {copy}",)),
    "trailer": lambda copy: Request(trailers=(f"X-Own: {copy}", f"Authorization: Bearer {copy}")),
    "path": lambda copy: Request(path=f"/{copy}"),
    "Via": lambda copy: Request(fields=(f"Via: 1.1 {copy}",)),
    "Max-Forwards": lambda copy: Request(fields=(f"Max-Forwards: {copy}",)),
    "X-Request-Id": lambda copy: Request(fields=(f"X-Request-Id: {copy}",)),
    "X-Forwarded-For": lambda copy: Request(fields=(f"X-Forwarded-For: {copy}",)),
    "X-Forwarded-Host": lambda copy: Request(fields=(f"X-Forwarded-Host: {copy}",)),
    "tracestate": lambda copy: Request(
        fields=(
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            f"tracestate: a={copy}",
        )
    ),
}
UNSPARED = {
    "path",
    "Via",
    "Max-Forwards",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "tracestate",
}  # else refused

# How each route takes its token; the last three need none, and what is shown to them is withheld all the same.
ROUTES = {
    "orders": "Authorization",
    "query": "parameter",
    "header": "X-User-Token",
    "file": "Authorization",
    "reports": "Authorization",
    "public": "Authorization",
}
PREFLIGHT = {"orders", "query", "reports"}  # where one passes
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "GET": ("GET", "1.1", ()),
    "POST": ("POST", "1.1", ()),
    "HTTP/1.0": ("GET", "1.0", ()),
    "websocket": ("GET", "1.1", UPGRADE),
    "websocket over HTTP/1.0": ("GET", "1.0", UPGRADE),
    "two upgrades": ("GET", "1.1", (*UPGRADE, "Upgrade: h2c")),
    "preflight": ("OPTIONS", "1.1", ("Origin: http://proxy", "Access-Control-Request-Method: GET")),
}


class Stage:
    """The proxy before an upstream that keeps every byte; neither ``token`` nor ``of_file`` may be among them."""

    def __init__(self, proxy: Running, upstream: RecordingUpstream, token: str, of_file: str) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.token = token
        self.pieces = list_pieces(token) + list_pieces(of_file)

    async def send(self, route: str, kind: str, request: Request) -> RawResponse:
        """The answer; what the upstream heard stays until the next."""
        self.upstream.clear()
        method, version, fields = KINDS[kind]
        target = f"/{route}{request.path}" + (f"?{request.query}" if request.query else "")
        lines = [f"{method} {target} HTTP/{version}", "Host: proxy", *fields, *request.fields]
        body = ""
        if method == "POST":
            lines.append("Transfer-Encoding: chunked")
            body = "\r\n".join(["2", "ab", "0", *request.trailers, "", ""])
        async with connected(self.proxy.server.address) as client:
            await client.send(("\r\n".join([*lines, "", ""]) + body).encode())
            return await client.response(method)

    def judge(self, response: RawResponse, *what: str) -> None:
        """No token in any spelling, neither upstream nor in the proxy's own answer."""
        own = response.header(b"content-type") == b"application/problem+json"
        for said in (b"".join(self.upstream.heard), response.head + response.body if own else b""):
            for text in readings_of(said):
                assert not [piece for piece in self.pieces if piece in text], (what, text)
        assert not self.upstream.faults, what
        for request in self.upstream.requests:
            authorizations = request.values(b"authorization")
            assert all(decode(one.decode().split(" ")[1])["aud"] == "api://orders" for one in authorizations)
        assert bool(self.upstream.requests) is (response.status == 200), what


def readings_of(text: bytes) -> Iterator[bytes]:
    """However often it is decoded."""
    yield text
    while (decoded := unquote_to_bytes(text)) != text:
        yield decoded
        text = decoded


def list_pieces(token: str) -> list[bytes]:
    """What must not be seen: the token, the parts of it that are secret, and its usual encodings."""
    parts = token.split(".")[1:] if token.count(".") == 2 else []
    encoded = [encode(token.encode()).rstrip(b"=") for encode in (b64encode, urlsafe_b64encode)]
    return [token.rstrip("=").encode(), *(part.encode() for part in parts), *encoded]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["JWT", "introspection"])
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """Tokens are verified here, or asked about; an opaque one is of characters that URLs encode."""
    file = tmp_path_factory.mktemp("token") / "subject"
    async with Demo() as demo, RecordingUpstream() as upstream:
        token, of_file = demo.mint("alice"), demo.mint("bob")
        raw = demo.settings()
        if request.param == "introspection":
            demo.tenant.opaque[OPAQUE] = decode(token)
            token = OPAQUE
            raw["subject_tokens"][0]["introspect"] = True
        write(file, of_file)
        orders, _, _, reports, public = (route | {"upstream": upstream.url} for route in raw["routes"])
        raw["routes"] = [
            orders,
            orders | {"name": "query", "path": "/query", "token_in": {"query": "access_token"}},
            orders | {"name": "header", "path": "/header", "token_in": {"header": "X-User-Token", "scheme": ""}},
            orders | {"name": "file", "path": "/file", "subject_token_file": str(file), "host": "proxy"},
            reports | {"host": "proxy"},
            public,
        ]  # fmt: skip
        raw["routes"] = [route | {"cors_preflight": route["name"] in PREFLIGHT} for route in raw["routes"]]
        raw["listen"] |= {"trusted_proxies": ["127.0.0.1"]}
        async with running(raw) as proxy:
            yield Stage(proxy, upstream, token, of_file)


def write(file: Path, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(token)


def beside(route: str, kind: str, token: str) -> Request:
    """The token where the route takes it from; a preflight brings what stands in its URL, and nothing else."""
    shown = NAMED[ROUTES[route]](token)
    return shown._replace(fields=()) if kind == "preflight" else shown


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES)
async def test_what_shows_a_token_ends_here(stage: Stage, route: str, kind: str):
    """H-29, H-61: whatever the route, and whether or not it has any use for it."""
    reached = set()
    for name, place in NAMED.items():
        for request in (place(stage.token), beside(route, kind, stage.token) + place(stage.token)):
            response = await stage.send(route, kind, request)
            stage.judge(response, route, kind, name)
            assert response.status in {200, 400, 401}, (name, response)
            if response.status == 200:
                reached.add(name)
    needs_none = route in PREFLIGHT if kind == "preflight" else route in {"public", "reports", "file"}
    if needs_none and kind != "websocket":  # with which two tokens, or one alone, are refused
        assert reached == set(NAMED)
    elif kind != "preflight":
        assert reached >= {ROUTES[route], "Proxy-Authorization", "DPoP", "the page's parameter"}


@pytest.mark.parametrize(
    ("route", "kind"), [*itertools.product(ROUTES, ["GET", "POST", "websocket"]), ("query", "preflight")]
)
async def test_no_copy_of_it_goes_on(stage: Stage, route: str, kind: str):
    """H-29: what can be left out is, in every spelling; with a copy in what cannot, the request is refused."""
    for (name, place), (spelling, spell) in itertools.product(COPIES.items(), SPELLINGS.items()):
        request = beside(route, kind, stage.token) + place(spell(stage.token))
        response = await stage.send(route, kind, request)
        stage.judge(response, route, kind, name, spelling)
        assert response.status in ({200, 400} if name in UNSPARED else {200}), (name, spelling, response)
        for seen in stage.upstream.requests:
            assert not seen.trailers
            if name == "cookie":
                assert seen.values(b"cookie") == [b"a=1; b"]
            if name == "parameter":
                assert seen.target.endswith(b"a=1&b=%20"), seen.target
