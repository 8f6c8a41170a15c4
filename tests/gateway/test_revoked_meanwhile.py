"""A user's access that is revoked between the verdict on its token and the use of that."""

from __future__ import annotations

import asyncio
from typing import Any

from proxy.demo import Demo
from proxy.demo.signals import PATH, build_entry, sign_event
from tests.support.prover import Prover
from tests.support.proxy import Running, running

EXTERNAL = "https://api.example.com"
SET = {"Content-Type": "application/secevent+jwt"}


class Pause:
    """Has whoever calls the method ``name`` of ``owner`` wait there for ``ends``."""

    def __init__(self, owner: Any, name: str) -> None:
        self.began, self.ends = asyncio.Event(), asyncio.Event()
        self._proceed = getattr(owner, name)
        setattr(owner, name, self._wait)

    async def _wait(self, *arguments: Any) -> Any:
        self.began.set()
        await self.ends.wait()
        return await self._proceed(*arguments)


async def revoke(demo: Demo, proxy: Running, login: str) -> None:
    event = sign_event(demo.tenant, "session-revoked", login)
    assert (await proxy.client.post(PATH, content=event, headers=SET)).status_code == 202


async def ask_while_revoked(demo: Demo, proxy: Running, pause: Pause, fields: dict[str, str]) -> int:
    asking = asyncio.create_task(proxy.client.get("/orders/1", headers=fields))
    await pause.began.wait()
    await revoke(demo, proxy, "alice")
    pause.ends.set()
    return (await asking).status_code


async def test_while_other_replicas_are_asked_about_the_proof(demo: Demo) -> None:
    """C-25: nothing is exchanged for a token that counts no more."""
    raw = demo.settings(signals=[build_entry(demo.tenant)], listen={"external_url": EXTERNAL})
    for entry in raw["subject_tokens"]:
        entry["dpop"] = "accept"
    prover = Prover()
    async with running(raw) as proxy:
        token = demo.mint("alice", claims=prover.confirmation)
        pause = Pause(proxy.app.parts.used_proofs, "use")
        shown = prover.show(f"{EXTERNAL}/orders/1", token)
        assert await ask_while_revoked(demo, proxy, pause, shown) == 401
    assert demo.calls["token_exchange"] == 0


async def test_while_the_actor_is_verified(demo: Demo) -> None:
    """C-25: the user's token was good when that began."""
    raw = demo.settings(signals=[build_entry(demo.tenant)])
    raw["routes"] = [raw["routes"][0] | {"actor": {"header": "X-Actor-Token", "type": "jwt"}}]
    async with running(raw) as proxy:
        token = demo.mint("alice")
        fields = {"Authorization": f"Bearer {token}", "X-Actor-Token": demo.mint("agent")}
        missing = await proxy.get("/orders/1", token)  # from here on the user's token is known
        assert missing.status_code == 401
        pause = Pause(proxy.app.parts.verifiers[0]._revoked, "look_up")
        assert await ask_while_revoked(demo, proxy, pause, fields) == 401
    assert demo.calls["token_exchange"] == 0
