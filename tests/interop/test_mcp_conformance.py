"""The MCP project's conformance suite judges DPoP on both sides of the proxy."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .packages import WITHOUT_NODE, install

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OLDEST = 22  # the suite needs that node


def find_version() -> int:
    program = shutil.which("node")
    told = subprocess.check_output([program, "--version"], text=True) if program else ""
    return int(told.lstrip("v").partition(".")[0] or 0)


pytestmark = pytest.mark.skipif(
    WITHOUT_NODE or find_version() < OLDEST, reason=f"node {OLDEST}, which the suite needs, is not here"
)


@pytest.mark.parametrize("scenario", ["auth/dpop", "auth/dpop-nonce"])
async def test_dpop(scenario: str) -> None:
    packages = await asyncio.to_thread(install, HERE / "mcp_conformance")
    suite = packages / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    command = f"{sys.executable} -m tests.interop.mcp_conformance.client"
    process = await asyncio.create_subprocess_exec(
        *("node", str(suite), "client", "--scenario", scenario, "--command", command),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"OVERALL: PASSED" in said
