"""The surroundings of every peer: upstream, authorization server, tokens, and the peers themselves."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.certificates import Authority, Issued

from . import install, processes, tokens
from .load.transfer import get
from .peers import Peer, Secured, Surroundings
from .peers.nginx import nginx_file

APPS = Path(__file__).parent / "apps"
BIG = 100 * 1024 * 1024

# nginx answers a POST at once where nothing asks for its body; here the body must have come whole first, as with
# any API that reads it: it is buffered, dropped, and the answer fetched from the second server.
UPSTREAM = """
  default_type application/json;
  upstream events {{ server unix:{folder}/events.sock; }}
  upstream echo {{ server unix:{folder}/echo.sock; }}
  upstream stored {{ server unix:{folder}/stored.sock; }}
  server {{
    listen unix:{folder}/stored.sock;
    location / {{ return 200 '{{"stored":true}}'; }}
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    listen 127.0.0.1:{secure_port} ssl backlog=4096;
    ssl_certificate {cert_file}; ssl_certificate_key {key_file};
    location = /small {{ return 200 '{{"id":1042,"state":"shipped","items":[{{"sku":"A-1","count":2}}]}}'; }}
    location = /seen {{ return 200 "$http_authorization"; }}
    location = /big {{ alias {folder}/big; }}
    location = /upload {{
      proxy_pass http://stored; proxy_method GET;
      proxy_pass_request_body off; proxy_pass_request_headers off;
    }}
    location = /events {{ proxy_pass http://events; proxy_buffering off; proxy_read_timeout 600s; }}
    location = /echo {{
      proxy_pass http://echo; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    }}
  }}
"""


@dataclass
class Stage:
    """Everything that runs; ``running`` and ``missing`` are by the peer's name."""

    folder: Path
    issuer: tokens.Issuer
    around: Surroundings
    stack: contextlib.ExitStack
    user: str  # the token of the one user that hits
    peers: list[Peer] = field(default_factory=list)
    running: dict[str, processes.Running] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    start_seconds: dict[str, float] = field(default_factory=dict)
    _secured: dict[tuple[str, Secured], processes.Running] = field(default_factory=dict)

    def admit(self, peer: Peer) -> None:
        """Starts ``peer``, or notes why it is missing."""
        reason = peer.available()
        if reason is None:
            try:
                self.running[peer.name] = self.launch(peer, peer.name)
                self.peers.append(peer)
            except (RuntimeError, OSError) as error:
                reason = str(error)
        if reason is not None:
            self.missing[peer.name] = reason

    def find(self, name: str, secured: Secured | None) -> processes.Running:
        """The peer of that name; a second one, started when it is first asked for, where there is to be TLS."""
        if secured is None:
            return self.running[name]
        if (name, secured) not in self._secured:
            (peer,) = (peer for peer in self.peers if peer.name == name)
            # A copy, for some note their ports in themselves.
            started = self.launch(copy(peer), f"{name}, TLS, {secured}", secured=secured)
            self._secured[name, secured] = started
        return self._secured[name, secured]

    def launch(
        self,
        peer: Peer,
        name: str,
        cores: frozenset[int] | None = None,
        secured: Secured | None = None,
    ) -> processes.Running:
        """A started peer that answers, and that sends the upstream its own token instead of the user's."""
        folder = self.folder / "".join(c if c.isalnum() else "-" for c in name)
        folder.mkdir()
        around = replace(self.around, folder=folder, cores=cores or self.around.cores, secured=secured)
        running = peer.start(around, processes.free_port())
        self.stack.callback(running.stop)
        if peer.name != "direct":
            secure = secured == "caller"
            self.start_seconds[name] = processes.wait_until(lambda: self._forwards(running, secure), running)
        return running

    def _forwards(self, running: processes.Running, secure: bool) -> bool:
        try:
            seen = get(running.port, "/seen", self.user, secure=secure)
        except (OSError, KeyError, ValueError):
            return False
        if not seen or self.user.encode() in seen:
            raise RuntimeError("forwards the user's own token, or none")
        return True

    def token_file(self, name: str, lines: Iterator[str] | list[str]) -> Path:
        """A file with one token a line."""
        path = self.folder / f"{name}.tokens"
        path.write_text("\n".join(lines) + "\n")
        return path


@contextlib.contextmanager
def build_stage(folder: Path) -> Iterator[Stage]:
    """Upstream and authorization server on the load's cores, and this process with them."""
    raise_descriptor_limit()
    proxy_cores, load_cores = processes.split_cores()
    os.sched_setaffinity(0, load_cores)
    with contextlib.ExitStack() as stack:
        issuer = tokens.Issuer()
        (folder / "keys.json").write_text(issuer.jwks())
        authority = Authority(folder)
        certificate = authority.issue()
        ports = _start_upstream(stack, folder, load_cores, certificate)
        around = Surroundings(
            upstream_port=ports[0],
            secure_upstream_port=ports[1],
            certificate=certificate,
            ca_file=authority.ca_file,
            authorization_server_port=_start_authorization_server(stack, folder, load_cores),
            jwks=issuer.jwks(),
            public_key_pem=issuer.rsa_public_key.public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ).decode(),
            cores=frozenset(proxy_cores),
            folder=folder,
        )
        yield Stage(folder, issuer, around, stack, issuer.mint("alice@example.com"))
    os.sched_setaffinity(0, proxy_cores | load_cores)


def raise_descriptor_limit() -> int:
    """Open files for us and whoever we start, as many as ten thousand idle connections need if we may; how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 65_536), max(hard, 65_536)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _start_upstream(
    stack: contextlib.ExitStack, folder: Path, cores: set[int], certificate: Issued
) -> tuple[int, int]:
    """Its ports, without TLS and with."""
    with (folder / "big").open("wb") as big:
        big.truncate(BIG)
    for app, socket in (("event_source.py", "events.sock"), ("echo.py", "echo.sock")):
        command = [sys.executable, APPS / app, folder / socket]
        stack.callback(processes.start(command, cores=cores, log=folder / f"{app}.log").stop)
    port, secure_port = processes.free_port(), processes.free_port()
    content = UPSTREAM.format(port=port, secure_port=secure_port, folder=folder, **vars(certificate))
    file = nginx_file(folder, content)
    nginx = install.find_program("nginx", "nginx-light")
    command = [nginx, "-p", folder, "-e", folder / "log", "-c", file]
    running = processes.start(
        command, cores=cores, log=folder / "upstream.log", port=port, env=install.library_path()
    )
    stack.callback(running.stop)
    processes.wait_until(lambda: _answers(port, "/small"), running)
    return port, secure_port


def _start_authorization_server(stack: contextlib.ExitStack, folder: Path, cores: set[int]) -> int:
    port = processes.free_port()
    command = [sys.executable, APPS / "authorization_server.py", str(port), folder / "keys.json"]
    running = processes.start(command, cores=cores, log=folder / "authorization_server.log", port=port)
    stack.callback(running.stop)
    processes.wait_until(lambda: _answers(port, "/keys"), running)
    return port


def _answers(port: int, path: str) -> bool:
    try:
        return bool(get(port, path, "none"))
    except OSError:
        return False
