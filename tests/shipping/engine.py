"""A Docker engine, where one answers, and the stacks that the tests bring up on it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from .files import ROOT

IMAGE = "obo-proxy-tested"
STAND_INS = "obo-proxy-stand-ins"
GRPC_SAMPLE = "obo-proxy-grpc-sample-tested"
_PORTS = ("PROXY_PORT", "ADMIN_PORT", "AUTHORIZATION_SERVER_PORT", "SCALE_PORT", "GATEWAY_PORT", "GRPC_PORT")


def docker(*arguments: str, check: bool = True, **environ: str) -> str:
    """What it says on stdout."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def is_there() -> bool:
    """Whether an engine answers, and has compose."""
    try:
        return all(
            subprocess.run(["docker", *command], capture_output=True, check=False, timeout=10).returncode == 0
            for command in (["info"], ["compose", "version"])
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def build(image: str, context: Path) -> str:
    """The image's name; built once, however many ask at the same time."""
    with (Path(tempfile.gettempdir()) / f"{image}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The host's network, for its name servers and package mirrors are often unreachable from a container's.
        docker(
            "build",
            "--quiet",
            "--network",
            "host",
            "--build-arg",
            "VERSION=1.2.3",
            "--tag",
            image,
            str(context),
        )
    return image


class Stack:
    """A compose project of its own, on free ports."""

    def __init__(self, image: str, profile: str, stand_ins: str) -> None:
        self._environ = {
            "COMPOSE_PROJECT_NAME": f"obo-test-{uuid.uuid4().hex[:8]}",
            "COMPOSE_PROFILES": profile,
            "OBO_IMAGE": image,
            "NGINX_IMAGE": stand_ins,
            "VALKEY_IMAGE": stand_ins,
            "GRPC_SAMPLE_IMAGE": GRPC_SAMPLE,
        } | {name: str(_find_free_port()) for name in _PORTS}
        self._urls = {name: f"http://127.0.0.1:{self._environ[name]}" for name in _PORTS}
        self.proxy, self.admin, self.authorization_server, self.balanced, self.gateway, _ = (
            self._urls.values()
        )
        self.grpc = f"127.0.0.1:{self._environ['GRPC_PORT']}"

    def compose(self, *arguments: str) -> str:
        return docker("compose", *arguments, **self._environ)

    def ids(self, service: str) -> list[str]:
        """Of the service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def token(self, user: str) -> str:
        """A fresh token of a user, who joins where there is none of that name."""
        httpx.put(f"{self.authorization_server}/demo/users/{user}").raise_for_status()
        return httpx.get(f"{self.authorization_server}/demo/token/{user}").raise_for_status().text.strip()

    def count_exchanges(self, containers: list[str]) -> int:
        """How many they made in all."""
        fetch = (
            "import pathlib, urllib.request as r;"
            " token = pathlib.Path('/run/secrets/admin-token').read_text().strip();"
            " ask = r.Request('http://127.0.0.1:9090/metrics', headers={'authorization': f'Bearer {token}'});"
            " print(r.urlopen(ask).read().decode())"
        )
        pages = [docker("exec", container, "python", "-c", fetch) for container in containers]
        lines = [line for page in pages for line in page.splitlines()]
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("obo_exchanges_total{"))


def inspect(container: str) -> dict:
    return json.loads(docker("inspect", container))[0]


@contextmanager
def run_stack(image: str, profile: str = "", stand_ins: str = "") -> Iterator[Stack]:
    """Up and healthy; gone with its volumes afterwards."""
    stack = Stack(image, profile, stand_ins)
    try:
        stack.compose("up", "--detach", "--no-build", "--wait")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "1")


def _find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
