"""``python -m proxy.demo authorization-server`` and ``… orders-api``: each of the demo's servers alone, for containers.

Containers know each other by names of their own, so the issuer's and the proxy's view of the URL is given.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from .authorization_server import build_authorization_server
from .listener import Listener
from .orders_api import build_orders_api
from .org import build_protections, build_tenant
from .resource import Resource, fetch_keys


def main(arguments: list[str] | None = None) -> None:
    """Serves until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m proxy.demo", description=__doc__)
    parser.add_argument("server", choices=["authorization-server", "orders-api"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--org-url", help="the org's base URL, as the tokens' issuer begins with it")
    args = parser.parse_args(arguments)

    def build_app(url: str) -> ASGIApp:
        tenant = build_tenant(args.org_url or url)
        if args.server == "authorization-server":
            return build_authorization_server(tenant)
        return build_orders_api(Resource(build_protections(tenant), fetch_keys))

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(serve(Listener(build_app, host=args.host, port=args.port)))


async def serve(listener: Listener) -> None:
    """Runs one server until a signal comes."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with listener:
        print(f"listening on {listener.url}", flush=True)  # noqa: T201
        await stopped.wait()


if __name__ == "__main__":
    main()
