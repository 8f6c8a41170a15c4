"""``obo-proxy healthcheck``: asks a proxy on this machine whether it lives, for containers and supervisors."""

from __future__ import annotations

import argparse
import http.client
import os
import sys

_ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 what is listened on is not what is called
_TIMEOUT = 2.0  # s; the image's health check allows three


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``healthcheck``."""
    parser = subparsers.add_parser(
        "healthcheck",
        help="whether the proxy on this machine lives",
        description="Asks the admin side at OBO_ADMIN_HOST and OBO_ADMIN_PORT, else 127.0.0.1:9090. Says nothing"
        " and exits with 0 where all is well.",
    )
    parser.add_argument(
        "--ready", action="store_true", help="also whether it may be sent requests: it has its issuers' keys"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask; 0 where the answer is 200, else 1."""
    host = os.environ.get("OBO_ADMIN_HOST") or "127.0.0.1"
    port = os.environ.get("OBO_ADMIN_PORT") or "9090"
    try:
        status, body = _ask(
            _ALL_ADDRESSES.get(host, host), int(port), "/readyz" if args.ready else "/healthz"
        )
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"obo-proxy: no admin side at {host}, port {port}: {error}", file=sys.stderr)
        return 1
    if status != http.client.OK:
        print(f"obo-proxy: {status} {body}", file=sys.stderr)
    return int(status != http.client.OK)


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path, headers={"connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
