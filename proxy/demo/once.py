"""One request through a running proxy, and what became of it as text."""

from __future__ import annotations

from typing import Any

import httpx
import jwt

from .comparison import compare
from .demo import Demo

_PATH = "/orders/1"


async def show_legs(demo: Demo, proxy_url: str) -> tuple[str, bool]:
    """The same of a route to another company, for which alice's ID token takes two calls."""
    id_token = demo.mint_id_token("alice")
    async with httpx.AsyncClient(base_url=proxy_url, trust_env=False, timeout=30) as http:
        answer = await http.get("/chat/1", headers={"authorization": f"Bearer {id_token}"})
    request = f"GET {proxy_url}/chat/1 with alice's ID token: {answer.status_code}"
    if answer.status_code != httpx.codes.OK:
        return f"{request}\n{answer.text}", False
    seen = answer.json()
    before = jwt.decode(id_token, options={"verify_signature": False})
    chat = demo.partner.issuer("chat")
    passed = (
        seen["claims"]["sub"] == before["sub"]
        and seen["claims"]["iss"] == chat
        and demo.calls["token_exchange"] == demo.partner_calls["jwt_bearer"] == 1
    )
    shown = [
        request,
        f"Leg 1: an ID-JAG for alice, made by {demo.issuer('org')} ({_describe_client(demo)}).",
        f"Leg 2: the ID-JAG redeemed at {chat}, another company's server.",
        f"ID-JAGs spent: {demo.tenant.id_jags['alice']}.",
        "",
        compare(before, seen["claims"], ("alice's ID token", "the other company's token, as its API saw it")),
        "",
        "What the API saw:",
        *_describe_request(seen),
    ]
    return "\n".join(shown), passed


async def show_request(demo: Demo, proxy_url: str) -> tuple[str, bool]:
    """What to print, and whether alice's request reached the API on her behalf with the route's own token."""
    subject_token = demo.mint("alice")
    async with httpx.AsyncClient(base_url=proxy_url, trust_env=False, timeout=30) as http:
        answer = await http.get(_PATH, headers={"authorization": f"Bearer {subject_token}"})
    request = f"GET {proxy_url}{_PATH} with alice's token: {answer.status_code}"
    if answer.status_code != httpx.codes.OK:
        return f"{request}\n{answer.text}", False
    seen = answer.json()
    before = jwt.decode(subject_token, options={"verify_signature": False})
    after = seen["claims"]
    passed = after["sub"] == before["sub"] and after["aud"] == demo.tenant.servers["orders"].audience
    shown = [
        request,
        f"Exchanged at {demo.issuer('orders')} ({_describe_client(demo)}).",
        "",
        compare(before, after, ("alice's token", "the exchanged token, as the API saw it")),
        "",
        "What the API saw:",
        *_describe_request(seen),
    ]
    return "\n".join(shown), passed


def _describe_client(demo: Demo) -> str:
    """How we proved who we are, as the last token request shows it."""
    asked = next(recorded for recorded in reversed(demo.requests) if recorded.endpoint == "token")
    auth = "private_key_jwt" if "client_assertion" in asked.form else "client_secret_basic"
    dpop = " with DPoP" if any(name == "dpop" for name, _ in asked.headers) else ""
    return f"{auth}{dpop}"


def _describe_request(seen: dict[str, Any]) -> list[str]:
    facts = {
        "on_behalf_of": seen["on_behalf_of"],
        "request": f"{seen['method']} {seen['path']}",
        **seen["headers"],
    }
    width = max(map(len, facts))
    return [f"  {name.ljust(width)}  {value}" for name, value in facts.items()]
