"""``obo-proxy demo``: the whole flow on this machine, offline."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..config.models import Settings
    from ..demo import Demo
    from ..server import Server

# Where the embedded authorization server is while the demo runs, and in the compose file.
_AUTHORIZATION_SERVER_PORT = 8081
_SERVER = f"http://127.0.0.1:{_AUTHORIZATION_SERVER_PORT}"


class DemoFailed(Exception):
    """The demo did not come off; ``str`` says why."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo`` and ``demo token``."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole flow on this machine, offline",
        description="Runs an embedded authorization server that answers as Okta does, a sample API and the proxy,"
        " and prints tokens of the users alice and bob with curl lines to paste.",
    )
    parser.add_argument(
        "--once", action="store_true", help="send one request through, show both tokens, and exit"
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="the proxy's port (8080; 0 for any that is free)"
    )
    parser.add_argument("--admin-port", type=int, default=9090, help="its admin port (9090; 0 for any)")
    parser.add_argument(
        "--private-key-jwt",
        action="store_true",
        help="the client proves itself with a key instead of a secret",
    )
    parser.add_argument("--dpop", action="store_true", help="the authorization server demands DPoP")
    parser.add_argument(
        "--id-jag",
        action="store_true",
        help="with a route to another company, whose server redeems an ID-JAG (Cross App Access)",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    token = actions.add_parser("token", help="a fresh token of a user of a running demo")
    token.add_argument("user", help="alice or bob")
    token.add_argument(
        "--server", default=_SERVER, metavar="URL", help=f"the demo's authorization server ({_SERVER})"
    )
    token.add_argument(
        "--expires-in", type=int, metavar="SECONDS", help="its lifetime; negative: it has expired"
    )
    token.set_defaults(run=run_token)


def run(args: argparse.Namespace) -> int:
    """Run the demo; the exit status."""
    from ..config.models import Log
    from ..observability.logs import configure

    log = Log(level="error" if args.once else "info", format="console", access=not args.once)
    logs = configure(log)
    try:
        asyncio.run(_show_once(args) if args.once else _serve(args))
    except (DemoFailed, OSError) as error:
        print(f"obo-proxy: {error}", file=sys.stderr)
        return 1
    finally:
        logs.stop()
    return 0


def run_token(args: argparse.Namespace) -> int:
    """Print a fresh token of the user, and nothing else."""
    import httpx

    url = f"{args.server.rstrip('/')}/demo/token/{args.user}"
    asked = {} if args.expires_in is None else {"expires_in": args.expires_in}
    try:
        answer = httpx.get(url, params=asked, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        print(f"obo-proxy: no demo at {args.server}: {error}; start one with obo-proxy demo", file=sys.stderr)
        return 1
    if answer.status_code != httpx.codes.OK:
        print(
            f"obo-proxy: {args.server} answered {answer.status_code}: {answer.text.strip()}", file=sys.stderr
        )
        return 1
    print(answer.text.strip())
    return 0


def _build_settings(demo: Demo, args: argparse.Namespace, **overrides: Any) -> Settings:
    from ..config.load import parse_settings

    if args.dpop:
        demo.demand_dpop()
    raw = demo.settings(private_key_jwt=args.private_key_jwt, dpop=args.dpop, id_jag=args.id_jag, **overrides)
    return parse_settings(raw)


async def _show_once(args: argparse.Namespace) -> None:
    from ..admin import build_admin
    from ..app import build_app
    from ..demo import Demo
    from ..demo.once import show_legs, show_request
    from ..server import Server

    async with Demo() as demo:
        settings = _build_settings(demo, args)
        app = build_app(settings)
        async with Server(settings, app, build_admin(app)) as server:
            show = show_legs if args.id_jag else show_request
            shown, passed = await show(demo, _url(server.address))
    print(shown)
    if not passed:
        raise DemoFailed("the request did not come through as it should")


async def _serve(args: argparse.Namespace) -> None:
    from ..admin import build_admin
    from ..app import build_app
    from ..demo import Demo
    from ..demo.listener import is_free
    from ..demo.signals import build_entry
    from ..demo.welcome import build_welcome
    from ..server import serve

    port = _AUTHORIZATION_SERVER_PORT if is_free("127.0.0.1", _AUTHORIZATION_SERVER_PORT) else 0
    async with Demo(authorization_server_port=port) as demo:
        listen = {"host": "127.0.0.1", "port": args.port}
        admin = {"host": "127.0.0.1", "port": args.admin_port}
        log = {"level": "info", "format": "console", "access": True}
        signals = [build_entry(demo.tenant)]
        settings = _build_settings(demo, args, listen=listen, admin=admin, log=log, signals=signals)
        app = build_app(settings)

        def welcome(server: Server) -> None:
            demo.tenant.proxy_url = _url(server.address)
            addresses = (_url(server.address), _url(server.admin_address))
            print(build_welcome(demo, *addresses, id_jag=args.id_jag), flush=True)

        def drain() -> None:
            app.draining = True

        await serve(settings, app, build_admin(app), ready=welcome, drain=drain)


def _url(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}"
