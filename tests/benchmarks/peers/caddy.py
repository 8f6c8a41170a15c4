"""Caddy with a constant header."""

from __future__ import annotations

from pathlib import Path

from .. import install
from . import Surroundings
from .base import CommandPeer, write

CONFIGURATION = """{{
  admin off
  auto_https off
  log {{
    level ERROR
  }}
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{upstream} {{
    header_up Authorization "{token}"
    transport http {{
      keepalive_idle_conns_per_host 256
    }}
  }}
}}
"""


class Caddy(CommandPeer):
    name = "Caddy"

    def find(self) -> Path:
        return install.find_program("caddy", "caddy")

    def environment(self, around: Surroundings) -> dict[str, str]:
        folder = str(around.folder)
        return {"GOMAXPROCS": str(len(around.cores)), "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        text = CONFIGURATION.format(port=port, upstream=around.upstream_port, token=around.upstream_token)
        file = write(around.folder / "Caddyfile", text)
        return [self.program, "run", "--config", file, "--adapter", "caddyfile"]
