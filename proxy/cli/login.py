"""``obo-proxy login``: a user's token for trying things out, by way of the browser (RFC 8252 §7.3)."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

from . import add_config_option

if TYPE_CHECKING:
    from pathlib import Path

    from ..config.models import AuthorizationServer, Client, Settings
    from ..exchange.authorization_code import SignIn
    from ..exchange.credentials import Credentials
    from ..exchange.metadata import Metadata
    from ..exchange.transport import Outbound

_HOST = "127.0.0.1"
_LONGEST_REQUEST = 16 * 1024  # bytes
_PAGE = (
    "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}\n"
)


class LoginFailed(Exception):
    """No token; ``str`` says why, without any secret."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``login``."""
    about = "get a user's token by signing in with the browser"
    parser = subparsers.add_parser(
        "login",
        help=about,
        description=f"{about.capitalize()}, printed alone on stdout: TOKEN=$(obo-proxy login). The client needs the"
        " grant Authorization Code and the redirect URI http://127.0.0.1:PORT/callback.",
    )
    add_config_option(parser)
    parser.add_argument(
        "--authorization-server", metavar="NAME", help="else that of the first subject_tokens"
    )
    parser.add_argument("--client-id", metavar="ID", help="a public client; else the server's own client")
    parser.add_argument("--scope", help="else openid and what the proxy requires of a subject token")
    parser.add_argument(
        "--id-token",
        action="store_true",
        help="print the ID token, for routes that take one, not the access token",
    )
    parser.add_argument("--port", type=int, default=0, help="of the redirect URI; else any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only print the address to open")
    parser.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS", help="for signing in (300)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sign in; print the access token."""
    from ..config.load import load_settings
    from ..errors import ProxyError

    settings = load_settings(args.config, os.environ)
    try:
        token = asyncio.run(_login(args, settings))
    except ProxyError as error:
        print(f"obo-proxy: {error} {error.remedy}".rstrip(), file=sys.stderr)
        return 1
    except LoginFailed as error:
        print(f"obo-proxy: {error}", file=sys.stderr)
        return 1
    print(token)
    return 0


async def _login(args: argparse.Namespace, settings: Settings) -> str:
    from ..exchange.authorization_code import REDIRECT_PATH, SignIn
    from ..exchange.transport import Outbound

    server = _choose_server(args, settings)
    client_id = args.client_id or (server.client and server.client.id)
    if not client_id:
        raise LoginFailed("this authorization server has no client: name one with --client-id")
    outbound = Outbound(server)
    receiver = _Receiver(server.issuer)
    try:
        own = None if args.client_id else server.client
        metadata = await _fetch_metadata(outbound, server, mutual_tls=bool(own and own.shows_certificate))
        port = await receiver.listen(args.port)
        sign_in = SignIn(client_id, f"http://{_HOST}:{port}{REDIRECT_PATH}", _choose_scopes(args, settings))
        await _send_to_browser(metadata, sign_in, open_it=not args.no_browser)
        code = await receiver.receive(sign_in, args.timeout)
        kind = "id_token" if args.id_token else "access_token"
        return await _redeem(outbound, server, metadata, sign_in, code, public=own is None, kind=kind)
    finally:
        receiver.close()
        await outbound.aclose()


def _choose_server(args: argparse.Namespace, settings: Settings) -> AuthorizationServer:
    name = args.authorization_server or next(
        (entry.authorization_server for entry in settings.subject_tokens), None
    )
    if name is None:
        raise LoginFailed(
            "the configuration has no subject_tokens: name a server with --authorization-server"
        )
    if name not in settings.authorization_servers:
        raise LoginFailed(f"the configuration has no authorization server {name!r}")
    return settings.authorization_servers[name]


def _choose_scopes(args: argparse.Namespace, settings: Settings) -> tuple[str, ...]:
    if args.scope is not None:
        return tuple(args.scope.split())
    required = settings.subject_tokens[0].required_scopes if settings.subject_tokens else ()
    return tuple(dict.fromkeys(("openid", *required)))


async def _fetch_metadata(outbound: Outbound, server: AuthorizationServer, *, mutual_tls: bool) -> Metadata:
    from ..exchange.metadata import build_metadata_urls, parse_metadata

    for url in build_metadata_urls(server.issuer):
        answer = await outbound.get(url)
        if answer.status == 200:
            return parse_metadata(
                answer.body, server.issuer, allow_http=server.allow_http, mutual_tls=mutual_tls
            )
    raise LoginFailed(f"{server.issuer} publishes no metadata, so there is nowhere to sign in")


async def _send_to_browser(metadata: Metadata, sign_in: SignIn, *, open_it: bool) -> None:
    import webbrowser

    from ..exchange.authorization_code import build_authorization_url

    if metadata.authorization_url is None:
        raise LoginFailed(f"the metadata of {metadata.issuer} names no authorization_endpoint")
    url = build_authorization_url(metadata.authorization_url, sign_in)
    print(f"obo-proxy: sign in at\n{url}", file=sys.stderr, flush=True)
    if open_it:
        await asyncio.to_thread(webbrowser.open, url)


async def _redeem(
    outbound: Outbound,
    server: AuthorizationServer,
    metadata: Metadata,
    sign_in: SignIn,
    code: str,
    *,
    public: bool,
    kind: str,
) -> str:
    from ..exchange.answer import show
    from ..exchange.authorization_code import build_code_form
    from ..exchange.token_exchange import encode_form

    url = server.token_url or metadata.token_url
    if url is None:
        raise LoginFailed(f"the metadata of {metadata.issuer} names no token_endpoint")
    credentials = _authenticate(None if public else server.client, server.ca_file, sign_in, url)
    headers = {"Authorization": credentials.authorization} if credentials.authorization else {}
    form = encode_form([*build_code_form(sign_in, code), *credentials.form])
    answer = await outbound.post(url, headers, form, certificate=credentials.certificate)
    document = answer.document or {}
    token = document.get(kind)
    if answer.status == 200 and token is None and kind == "id_token":
        raise LoginFailed("the answer has no id_token: let --scope hold openid")
    if answer.status != 200 or not isinstance(token, str) or not token.isprintable():
        told = " ".join(show(document.get(key), (code,)) for key in ("error", "error_description"))
        raise LoginFailed(f"the token URL answered {answer.status} {told}".rstrip())
    return token


def _authenticate(client: Client | None, ca_file: Path | None, sign_in: SignIn, url: str) -> Credentials:
    """What proves that we are ``client``; a public one, which None is, has only its name."""
    from ..exchange.client_auth import build_client_authentication
    from ..exchange.credentials import Credentials

    if client is None:
        return Credentials(form=[("client_id", sign_in.client_id)])
    try:
        return build_client_authentication(client, ca_file=ca_file).authenticate(url, time.time())
    except (OSError, ValueError) as error:
        raise LoginFailed(f"the client's credentials cannot be used: {error}") from error


class _Receiver:
    """Listens on loopback for the one redirect that answers the sign-in; all else gets a 404."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._server: asyncio.Server | None = None
        self._sign_in: SignIn | None = None
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listen(self, port: int) -> int:
        """The port it has got."""
        try:
            self._server = await asyncio.start_server(self._answer, _HOST, port, limit=_LONGEST_REQUEST)
        except OSError as error:
            raise LoginFailed(f"cannot listen on {_HOST}:{port}: {error.strerror}") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def receive(self, sign_in: SignIn, patience: float) -> str:
        """The code, within ``patience`` seconds."""
        self._sign_in = sign_in
        try:
            async with asyncio.timeout(patience):
                return await self._code
        except TimeoutError:
            raise LoginFailed(f"nobody signed in within {patience:g} s") from None

    def close(self) -> None:
        """Stop listening; what a browser has opened ahead and never used ends with the loop."""
        self._code.cancel()
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            head = b""
        status, text = self._take(head)
        writer.write(_PAGE.format(status=status, text=text).encode())
        writer.close()

    def _take(self, head: bytes) -> tuple[str, str]:
        from ..exchange.answer import show
        from ..exchange.authorization_code import SignInRefused, parse_redirect

        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if self._sign_in is None or self._code.done() or len(words) != 3 or words[0] != "GET":
            return "404 Not Found", "Nothing here."
        try:
            code = parse_redirect(words[1], self._sign_in, self._issuer)
        except SignInRefused as error:
            self._code.set_exception(LoginFailed(f"signing in was refused: {show(str(error))}"))
            return "200 OK", "Signing in was refused; the terminal says why. This window may be closed."
        if code is None:
            return "404 Not Found", "Nothing here."
        self._code.set_result(code)
        return "200 OK", "Signed in. This window may be closed."
