"""Programs that people call with, by prior knowledge and by ALPN."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl

import httpx
import pytest

from proxy.config.models import ListenTLS
from tests.server.apps import Recorder, listening
from tests.support.certificates import Authority

BODY = b"abc" * 100_000


async def run(*command: str, given: bytes = b"") -> bytes:
    """What a program says; it must succeed."""
    if shutil.which(command[0]) is None:
        assert os.environ.get("CI") != "true", f"{command[0]} is not installed"
        pytest.skip(f"{command[0]} is not installed")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate(given)
    assert process.returncode == 0, said
    return said


@pytest.fixture(params=["clear", "TLS"])
async def served(request, tmp_path):
    """A recorder, its URL, and the file of its authority."""
    authority = Authority(tmp_path)
    issued = authority.issue()
    tls = ListenTLS(cert_file=issued.cert_file, key_file=issued.key_file) if request.param == "TLS" else None
    recorder = Recorder()
    async with listening(recorder, tls, http2=True) as listener:
        scheme = "https" if tls else "http"
        yield recorder, f"{scheme}://localhost:{listener.address[1]}/", str(authority.ca_file)


async def test_curl(served):
    recorder, url, ca_file = served
    version = "--http2" if url.startswith("https") else "--http2-prior-knowledge"
    command = ("curl", "-sS", version, "--cacert", ca_file, "--data-binary", "@-", "-w", " %{http_version}")
    assert await run(*command, url, given=BODY) == BODY + b" 2"
    assert [scope["http_version"] for scope, _ in recorder.requests] == ["2"]


async def test_nghttp(served):
    """Ten requests of a page side by side, and its way of ending them."""
    recorder, url, _ = served
    said = await run("nghttp", "-n", "-s", "-m", "10", url)
    assert len(re.findall(rb" 200 ", said)) == 10, said
    assert len(recorder.requests) == 10


async def test_h2load(served):
    _, url, _ = served
    said = await run("h2load", "-n", "500", "-c", "4", "-m", "25", url)
    assert b"500 succeeded, 0 failed, 0 errored, 0 timeout" in said


async def test_httpx(served):
    _, url, ca_file = served
    context = ssl.create_default_context(cafile=ca_file)
    async with httpx.AsyncClient(http1=False, http2=True, verify=context, trust_env=False) as client:
        answers = await asyncio.gather(*(client.post(url, content=BODY) for _ in range(5)))
    assert {(answer.http_version, answer.content) for answer in answers} == {("HTTP/2", BODY)}
