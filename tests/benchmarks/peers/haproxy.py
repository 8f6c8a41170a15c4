"""HAProxy with a constant header; with ``jwt_verify`` it checks the signature at every request."""

from __future__ import annotations

from pathlib import Path

from .. import install
from . import Surroundings
from .base import CommandPeer, write

CONFIGURATION = """
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
  option http-no-delay
frontend front
  bind 127.0.0.1:{port}
  {verification}
  http-request set-header Authorization "{token}"
  default_backend api
backend api
  server one 127.0.0.1:{upstream} pool-max-conn 256
"""

VERIFICATION = """http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request deny unless {{ var(txn.alg) -m str RS256 }}
  http-request deny unless {{ var(txn.bearer),jwt_verify(txn.alg,"{key}") -m int 1 }}"""


class HAProxy(CommandPeer):
    def __init__(self, *, verifying: bool) -> None:
        self._verifying = verifying
        self.name = "HAProxy + jwt_verify" if verifying else "HAProxy"
        self.verifies = "signature, each request" if verifying else "no"

    def find(self) -> Path:
        return install.find_program("haproxy", "haproxy")

    def environment(self, around: Surroundings) -> dict[str, str]:
        return install.library_path()

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        key = write(around.folder / "key.pem", around.public_key_pem)
        text = CONFIGURATION.format(
            port=port,
            upstream=around.upstream_port,
            token=around.upstream_token.replace(" ", "\\ "),
            verification=VERIFICATION.format(key=key) if self._verifying else "",
        )
        return [self.program, "-db", "-q", "-f", write(around.folder / "haproxy.cfg", text)]
