"""``obo-proxy serve`` and SIGHUP: what is bad changes nothing, what is good counts whole, with one worker or two."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, Issued
from tests.support.raw_client import connected
from tests.support.served import Served, serving, write

# That of the test: the proxy chooses its own.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

RAW: dict[str, Any] = {
    "routes": [{"name": "all", "path": "/", "upstream": "http://127.0.0.1:9", "grant": "none"}]
}


class Stage:
    """A proxy with TLS under a configuration file, and its authority's certificates."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.workers = workers
        self.file = folder / "obo.yaml"
        self.authority = Authority(folder)
        self.context = ssl.create_default_context(cafile=self.authority.ca_file)
        self.live = self.authority.issue()

    def write(self, raw: dict[str, Any] = RAW, **listen: Any) -> Path:
        tls = {"cert_file": str(self.live.cert_file), "key_file": str(self.live.key_file)}
        return write(self.file, raw, **{"tls": tls, "workers": self.workers, **listen})

    def rotate(self, *, cert: bool = False, key: bool = False, issued: Issued) -> None:
        """Put the new certificate, the new key, or both into the files that are configured."""
        if cert:
            self.live.cert_file.write_bytes(issued.cert_file.read_bytes())
        if key:
            self.live.key_file.write_bytes(issued.key_file.read_bytes())

    async def see(self, served: Served) -> str:
        """The serial number that all workers show."""
        seen = set()
        for _ in range(2 * self.workers):
            async with connected(served.address, self.context) as client:
                seen.add(client.writer.get_extra_info("peercert")["serialNumber"])
        assert len(seen) == 1
        return seen.pop()


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def stage(tmp_path: Path, request) -> Stage:
    return Stage(tmp_path, request.param)


async def reload(served: Served) -> str:
    """Send SIGHUP; why that failed, or nothing."""
    since = len(served.lines)
    served.signal(signal.SIGHUP)
    (line,) = await served.find("configuration loaded again", "reload failed", since=since)
    return line.get("reason", "")


async def test_a_rotation_is_taken_whole_or_not_at_all(stage: Stage):
    """Contract §6: half a pair is reported and changes nothing, nor does a good pair with a bad configuration."""
    new = stage.authority.issue()
    async with serving(stage.write()) as served:
        old = await stage.see(served)
        stage.rotate(cert=True, issued=new)
        reason = await reload(served)
        assert await stage.see(served) == old
        assert reason.startswith(f"listen.tls.cert_file: {stage.live.cert_file} and ")

        stage.rotate(key=True, issued=new)
        stage.write({"routes": []})
        assert await reload(served) == "routes: needs at least 1 entry"
        assert await stage.see(served) == old

        stage.write()
        assert await reload(served) == ""
        assert await stage.see(served) != old
        assert await served.count("obo_config_reloads_total", outcome="failure") == 2
        assert await served.count("obo_config_reloads_total", outcome="success") == 1


async def test_a_bad_pair_holds_back_the_configuration_too(stage: Stage):
    """One that came with a new route is not half in force."""
    raw = {"routes": [{**RAW["routes"][0], "path": "/old"}]}
    async with serving(stage.write(raw)) as served:
        assert await _ask(stage, served, "/new") == 404
        stage.rotate(key=True, issued=stage.authority.issue())
        stage.write({"routes": [{**RAW["routes"][0], "path": "/new"}]})
        assert await reload(served)
        assert await _ask(stage, served, "/new") == 404


async def test_other_files_are_taken_and_other_ports_are_not(stage: Stage):
    """What takes a restart is said, key by key, each time; the rest counts."""
    async with serving(stage.write()) as served:
        old = await stage.see(served)
        stage.live = stage.authority.issue()
        since = len(served.lines)
        stage.write({**RAW, "admin": {"port": 1}}, port=2, header_timeout="1s", max_body_bytes=7)
        for _ in range(2):
            assert await reload(served) == ""
        assert await stage.see(served) != old
        said = await served.find("a restart is needed", since=since, times=2)
        assert [line["keys"] for line in said] == [["listen.port", "listen.header_timeout", "admin.port"]] * 2
        shown = (await served.admin.get("/api/config")).json()
        assert (shown["listen"]["header_timeout"], shown["listen"]["max_body_bytes"]) == (10.0, 7)


async def test_tls_does_not_end_with_a_reload(stage: Stage):
    """Callers would be met in plain text: that takes a restart, also where a worker begins meanwhile."""
    async with serving(stage.write()) as served:
        stage.write(tls=None)
        since = len(served.lines)
        assert await reload(served) == ""
        (said,) = await served.find("a restart is needed", since=since)
        assert said["keys"] == ["listen.tls"]
        stage.rotate(cert=True, key=True, issued=stage.authority.issue())
        old = await stage.see(served)
        assert await reload(served) == ""
        assert (new := await stage.see(served)) != old
        for line in await served.find("worker serving", times=2 * (stage.workers > 1)):
            os.kill(line["pid"], signal.SIGKILL)
            await served.find("worker serving", worker=line["worker"], times=2)
        assert await stage.see(served) == new


async def test_an_open_admin_side_keeps_its_token(stage: Stage, tmp_path: Path):
    """The port stays open until a restart, whatever the file says of it since."""
    token = tmp_path / "admin-token"
    token.write_text("canary-admin")
    token.chmod(0o600)
    async with serving(
        stage.write({**RAW, "admin": {"host": "0.0.0.0", "token_file": str(token)}})
    ) as served:
        stage.write()
        assert (await reload(served)).startswith("admin.token_file: required")
        assert (await served.admin.get("/api/status")).status_code == 401


async def _ask(stage: Stage, served: Served, path: str) -> int:
    statuses = set()
    for _ in range(2 * stage.workers):
        async with asyncio.timeout(20), connected(served.address, stage.context) as client:
            await client.send(f"GET {path} HTTP/1.1\r\nHost: proxy\r\n\r\n".encode())
            statuses.add((await client.response()).status)
    assert len(statuses) == 1
    return statuses.pop()
