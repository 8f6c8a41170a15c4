"""Microsoft's client package for the sidecar of its Entra SDK, unmodified, at the authorizer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from proxy.demo import Demo
from tests.support.demo import decode
from tests.support.proxy import running

from .packages import install_python

CLIENT = Path(__file__).with_name("entra_sidecar.py")


async def test_the_package_gets_its_tokens_here():
    """A route without a user is a service to it; what a route does not do is an error, in its own words."""
    packages = await asyncio.to_thread(
        install_python, "entra-sidecar", "microsoft-agents-authentication-entra-auth-sidecar==1.9.0"
    )
    async with Demo() as demo, running(demo.settings(authorizer={"host": "127.0.0.1"})) as proxy:
        address: Any = proxy.server.authorizer_address
        command = [sys.executable, str(CLIENT), f"http://localhost:{address[1]}", "reports", "nobody"]
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, "PYTHONPATH": str(packages)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    given = json.loads(out)
    claims = {name: decode(given.pop(name)) for name in ("token", "fresh", "credential")}
    assert all(one["sub"] == one["cid"] and one["scp"] == ["orders:read"] for one in claims.values())
    assert claims["fresh"]["jti"] != claims["token"]["jti"]
    assert given == {
        "healthy": True,
        "other scope": "ValueError",
        "agent": "ValueError",
        "other service": "SidecarConfigurationError",
    }
