"""Node: ``@fastify/http-proxy``, which forwards with undici."""

from __future__ import annotations

import shutil
from pathlib import Path

from .. import install
from . import Surroundings
from .base import CommandPeer

APP = Path(__file__).parent.parent / "apps" / "fastify_proxy.cjs"


class Fastify(CommandPeer):
    name = "fastify http-proxy"

    def find(self) -> Path:
        self.modules = install.find_npm("@fastify/http-proxy", "11") / "node_modules"
        self.fastify = install.find_npm("fastify", "5") / "node_modules"
        return Path(str(shutil.which("node")))

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        ports = [str(port), str(around.upstream_port)]
        return [self.program, APP, self.modules, self.fastify, *ports, around.upstream_token]
