"""obo-proxy itself, with everything on: it verifies, exchanges, caches and forwards."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

from .. import processes, tokens
from ..results import OURS
from . import Surroundings
from .base import CommandPeer, write


class Ours(CommandPeer):
    """``routes``, ``workers``, ``max_entries`` and ``external_url``, where callers prove, are for growth.

    ``beside`` is the name and the program of another version or build, which stands beside this one.
    """

    name = OURS
    verifies = "yes, verdict remembered; exchanges"

    def __init__(
        self,
        *,
        routes: int = 1,
        workers: int = 1,
        max_entries: int = 20_000,
        external_url: str | None = None,
        beside: tuple[str, Path] | None = None,
    ) -> None:
        self._routes = routes
        self._external_url = external_url
        self._workers = workers
        self._max_entries = max_entries
        self.admin_port = 0
        self.authorizer_port = 0
        self._asked = beside is None  # an earlier version may know of no authorizer
        self.program = Path(sys.executable).with_name("obo-proxy")
        if beside is not None:
            self.name, self.program = f"{OURS}, {beside[0]}", beside[1]

    def available(self) -> str | None:
        if importlib.util.find_spec("proxy.app") is None:
            return "obo-proxy serve is not there yet"
        return None

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        self.admin_port, self.authorizer_port = processes.free_port(), processes.free_port()
        # JSON is YAML.
        file = write(around.folder / "obo-proxy.yaml", json.dumps(self._configuration(around, port)))
        return [self.program, "serve", "--config", file]

    def _configuration(self, around: Surroundings, port: int) -> dict:
        okta = f"http://127.0.0.1:{around.authorization_server_port}"
        return {
            "listen": {
                "port": port,
                "workers": self._workers,
                "max_connections": 20_000,
                "external_url": self._external_url,
                **self._tls(around),
            },
            "admin": {"port": self.admin_port},
            **({"authorizer": {"port": self.authorizer_port}} if self._asked else {}),
            "authorization_servers": {
                "okta": {
                    "issuer": tokens.ISSUER,
                    "token_url": f"{okta}/token",
                    "jwks_url": f"{okta}/keys",
                    "client": {"id": "0oa9aw62CPUnXomeU9c5", "secret": "a-secret-of-the-benchmark-alone"},
                }
            },
            "subject_tokens": [
                {
                    "authorization_server": "okta",
                    "expected_audience": tokens.AUDIENCE,
                    "dpop": "accept" if self._external_url else "refuse",
                }
            ],
            "routes": [*self._other_routes(around), self._route("everything", "/", around)],
            "cache": {"max_entries": self._max_entries, "revalidate_after": "1h"},
            "log": {"level": "warning"},
        }

    def _other_routes(self, around: Surroundings) -> list[dict]:
        return [self._route(f"api{n}", f"/api{n}/orders", around) for n in range(self._routes - 1)]

    def _route(self, name: str, path: str, around: Surroundings) -> dict:
        return {
            "name": name,
            "path": path,
            **self._upstream(around),
            "audience": "api://orders",
            "scopes": ["orders:read"],
            "max_connections": 1024,  # one user has at most three quarters of them
        }

    def _tls(self, around: Surroundings) -> dict:
        if around.secured != "caller":
            return {}
        issued = around.certificate
        return {"tls": {"cert_file": str(issued.cert_file), "key_file": str(issued.key_file)}}

    def _upstream(self, around: Surroundings) -> dict:
        if around.secured != "upstream":
            return {"upstream": f"http://127.0.0.1:{around.forwards_to}"}
        return {
            "upstream": f"https://127.0.0.1:{around.forwards_to}",
            "tls": {"ca_file": str(around.ca_file), "server_name": "localhost"},
        }
