"""What Python has: the crude sketch, the plain starlette and httpx proxy, fastapi-proxy-lib, and mitmproxy."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import install
from . import Surroundings
from .base import CommandPeer

APPS = Path(__file__).parent.parent / "apps"


class UvicornPeer(CommandPeer):
    """An ASGI app of ``apps/`` under uvicorn with uvloop and httptools."""

    app: str

    def find(self) -> Path:
        return Path(sys.executable)

    def environment(self, around: Surroundings) -> dict[str, str]:
        return {"UPSTREAM_PORT": str(around.upstream_port), "UPSTREAM_TOKEN": around.upstream_token}

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error"]
        return [self.program, "-m", "uvicorn", "--app-dir", APPS, self.app, "--port", str(port), *fast]


class CrudeSketch(UvicornPeer):
    name = "crude sketch"
    app = "crude_sketch:app"


class PlainHttpx(UvicornPeer):
    name = "starlette + httpx"
    app = "httpx_proxy:app"


class FastapiProxyLib(UvicornPeer):
    name = "fastapi-proxy-lib"
    app = "fastapi_proxy:app"

    def find(self) -> Path:
        return install.find_python("fastapi-proxy-lib", "fastapi-proxy-lib[standard]", "uvicorn[standard]")


class Mitmproxy(CommandPeer):
    name = "mitmproxy"

    def find(self) -> Path:
        return install.find_python("mitmproxy", "mitmproxy").with_name("mitmdump")

    def environment(self, around: Surroundings) -> dict[str, str]:
        return {"HOME": str(around.folder)}

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        upstream = f"reverse:http://127.0.0.1:{around.upstream_port}"
        address = ["--listen-host", "127.0.0.1", "--listen-port", str(port)]
        options = ["--set", "stream_large_bodies=64k", "--set", "flow_detail=0", "-q"]
        token = ["--modify-headers", f"/~q/Authorization/{around.upstream_token}"]
        addon = ["-s", str(APPS / "mitmproxy_addon.py")]
        return [self.program, "--mode", upstream, *address, *options, *token, *addon]
