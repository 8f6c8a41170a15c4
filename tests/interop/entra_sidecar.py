"""An application that has Microsoft's package for the sidecar of its Entra SDK, and knows of nothing else.

``argv``: the sidecar's address, and the names of two services. Prints what it was given as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from microsoft_agents.authentication.entra_auth_sidecar import SidecarAuth


async def _try(call: Any) -> Any:
    try:
        return await call
    except Exception as error:  # noqa: BLE001 whatever the package makes of a refusal
        return type(error).__name__


async def main(url: str, service: str, unknown: str) -> None:
    settings = {"SIDECAR_BASE_URL": url, "RETRY_COUNT": 0}
    auth = SidecarAuth({**settings, "SERVICE_NAME": service})
    other = SidecarAuth({**settings, "SERVICE_NAME": unknown})
    given = {
        "healthy": await auth.is_healthy(),
        "token": await auth.get_access_token("https://api.example", ["orders:read"]),
        "fresh": await auth.get_access_token("https://api.example", ["orders:read"], force_refresh=True),
        "credential": (await auth.get_token_credential().get_token("orders:read")).token,
        "other scope": await _try(auth.get_access_token("https://api.example", ["orders:write"])),
        "agent": await _try(auth.get_agentic_user_token("tenant", "app", "alice@example.com", [])),
        "other service": await _try(other.get_access_token("https://api.example", [])),
    }
    await auth.close()
    await other.close()
    print(json.dumps(given))


asyncio.run(main(*sys.argv[1:]))
