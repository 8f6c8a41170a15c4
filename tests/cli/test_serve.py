"""``obo-proxy serve`` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.proxy import PLAIN

RUN = (sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())", "serve", "--config")

# What a proxy that rests is not to hold in memory: what reads the configuration, what only some commands or some
# configurations need.
NOT_LOADED = {
    "pydantic",
    "yaml",
    "httpx",
    "httpcore",
    "jinja2",
    "rich",
    "valkey",
    "opentelemetry",
    "h2",
    "uvicorn",
    "starlette",
    "prometheus_client",
    "jwt",
    "cryptography.x509",
    "cryptography.hazmat.primitives.serialization",
    "urllib.request",
    "http.client",
    "proxy.admin.site",
    "proxy.cache.shared",
    "proxy.cli.demo",
    "proxy.exchange.dpop",
    "proxy.gateway.http2_gateway",
    "proxy.jose.certificates",
    "proxy.jose.private_keys",
    "proxy.signals.receivers",
    "proxy.upstream.http2",
    "proxy.diagnosis.diagnose",
}
# Nor, where no route takes websockets:
NO_WEBSOCKETS = {"websockets", "importlib.metadata", "proxy.server.websocket", "proxy.upstream.websocket"}
# Who supervises neither reads a token nor holds a key, and takes no websocket himself.
NOT_SUPERVISED = NOT_LOADED | NO_WEBSOCKETS | {"proxy.app", "cryptography"}

ROUTE = {"name": "a", "path": "/", "upstream": "http://127.0.0.1:9", "grant": "none"}


def write(path: Path, **changes: Any) -> Path:
    path.write_text(
        yaml.safe_dump({"listen": {"port": 0}, "admin": {"port": 0}, "routes": [ROUTE], **changes})
    )
    return path


class Served:
    """A running process: its log, and its admin side."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def find(self, event: str, *, never: str = "") -> dict[str, Any]:
        """The next log line of that event, and none of the other before it."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if (fields := json.loads(line))["event"] == event:
                return fields
            assert fields["event"] != never
        raise AssertionError(f"ended without {event!r}")


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Served]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OBO_")}
    process = await asyncio.create_subprocess_exec(
        *RUN, str(path), stderr=asyncio.subprocess.PIPE, env=environ
    )
    try:
        yield Served(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_its_life(tmp_path: Path) -> None:
    """O-06: it says where it serves, loads its configuration again on SIGHUP, keeps the old where the new is bad,
    and ends with 0 once drained."""
    path = write(tmp_path / "obo.yaml")
    async with serving(path) as served, httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
        admin = (await served.find("serving"))["admin"]
        assert (await client.get(f"http://{admin}/healthz")).status_code == 200
        served.process.send_signal(signal.SIGHUP)
        await served.find("configuration loaded again")
        write(path, routes=[])
        served.process.send_signal(signal.SIGHUP)
        assert (await served.find("reload failed"))["reason"] == "routes: needs at least 1 entry"
        metrics = (await client.get(f"http://{admin}/metrics")).text
        assert 'obo_config_reloads_total{outcome="success"} 1.0' in metrics
        assert 'obo_config_reloads_total{outcome="failure"} 1.0' in metrics
        served.process.terminate()
        assert await served.process.wait() == 0


# Of the process that loads the configuration alone, for as long as there is a file that says so.
FAILING = """import os, sys
if "proxy.config.loading" in sys.orig_argv and os.path.exists("{file}"):
    from proxy.config import load
    def load_settings(*_): raise KeyError("s3cr3t")
    load.load_settings = load_settings
"""


async def test_a_mistake_of_ours_in_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It serves on by the configuration that it has, or does not begin; the mistake is told without a value."""
    path, sign = write(tmp_path / "obo.yaml"), tmp_path / "failing"
    (tmp_path / "sitecustomize.py").write_text(FAILING.format(file=sign))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    reason = "the configuration cannot be loaded: KeyError in sitecustomize.py, line 4"
    async with serving(path) as served, httpx.AsyncClient(trust_env=False, verify=PLAIN) as client:
        admin = (await served.find("serving"))["admin"]
        sign.touch()
        served.process.send_signal(signal.SIGHUP)
        assert (await served.find("reload failed"))["reason"] == reason
        assert (await client.get(f"http://{admin}/healthz")).status_code == 200
    async with serving(path) as served:
        _, said = await served.process.communicate()
        assert said.decode() == f"obo-proxy: cannot serve: {reason}\n"
        assert served.process.returncode == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_secrets_that_everybody_may_read(workers: int, tmp_path: Path) -> None:
    """Said once for each, at the start or when a reload names it; it serves all the same."""
    listen = {"port": 0, "workers": workers}
    secrets = [tmp_path / name for name in ("one", "other")]
    for secret in secrets:
        secret.write_text("canary")
        secret.chmod(0o444)
    path = tmp_path / "obo.yaml"
    async with serving(
        write(path, listen=listen, admin={"port": 0, "token_file": str(secrets[0])})
    ) as served:
        said = await served.find("others may read a secret")
        assert (said["level"], said["key"]) == ("warning", "admin.token_file")
        await served.find("serving")
        served.process.send_signal(signal.SIGHUP)
        await served.find("configuration loaded again", never="others may read a secret")
        write(path, listen=listen, admin={"port": 0, "token_file": str(secrets[1])})
        served.process.send_signal(signal.SIGHUP)
        assert str(secrets[1]) in (await served.find("others may read a secret"))["reason"]


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """One line, and 1."""
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    async with serving(write(tmp_path / "obo.yaml", listen={"port": port})) as served:
        _, err = await served.process.communicate()
        assert served.process.returncode == 1
    blocker.close()
    await blocker.wait_closed()
    assert err.decode().splitlines()[-1].startswith("obo-proxy: cannot serve: ")


@pytest.mark.parametrize(
    ("workers", "websocket", "loaded", "not_loaded"),
    [
        (1, True, {"proxy.app", "proxy.server.websocket"}, NOT_LOADED),
        (1, False, {"proxy.app"}, NOT_LOADED | NO_WEBSOCKETS),
        (2, True, {"proxy.server.workers.supervisor"}, NOT_SUPERVISED),
    ],
)
async def test_it_holds_what_serving_takes_and_no_more(
    workers: int, websocket: bool, loaded: set[str], not_loaded: set[str], tmp_path: Path
) -> None:
    """Memory is paid for by every application that the proxy stands beside; a supervisor has no keys."""
    route = {**ROUTE, "websocket": websocket}
    path = write(tmp_path / "obo.yaml", listen={"port": 0, "workers": workers}, routes=[route])
    tell = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); "
    process = await asyncio.create_subprocess_exec(
        *(RUN[0], "-c", tell + RUN[2], "serve", "--config", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await Served(process).find("serving")
    process.terminate()
    said, _ = await process.communicate()
    modules = set(said.decode().split())
    assert loaded <= modules
    assert modules & not_loaded == set()


async def test_ctrl_c_drains(tmp_path: Path) -> None:
    """It is as clean as SIGTERM."""
    async with serving(write(tmp_path / "obo.yaml")) as served:
        await served.find("serving")
        served.process.send_signal(signal.SIGINT)
        await served.find("draining")
        assert await served.process.wait() == 0
