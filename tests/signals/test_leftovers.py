"""A signal leaves nothing behind that would wait for the garbage collector, whatever becomes of it."""

from __future__ import annotations

import itertools

from proxy.demo import Demo
from proxy.demo.signals import PATH, REVOCATION_PATH, sign_credential, sign_event
from tests.support.demo import resign
from tests.support.leftovers import leftovers
from tests.support.proxy import Running
from tests.support.raw_client import connected
from tests.test_refused_requests import KEPT

SET = "application/secevent+jwt"
_events = itertools.count()


def build(path: str, body: str, media_type: str = SET, credential: str = "", missing: int = 0) -> bytes:
    """A request whose body lacks the last ``missing`` bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: proxy", "Connection: close", f"Content-Type: {media_type}"]
    lines += [f"Authorization: Bearer {credential}"] if credential else []
    whole = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
    return whole[: len(whole) - missing].encode()


async def test_nothing_is_left(demo: Demo, proxy: Running):
    """Of what is done, refused, said twice, or not sent to its end."""
    tenant = demo.tenant

    def end(**changes: object) -> str:
        return sign_event(tenant, "session-revoked", jti=f"left{next(_events)}", **changes)

    def revoke(body: str, credential: str) -> bytes:
        return build(REVOCATION_PATH, body, "application/json", credential)

    async def ask(request: bytes) -> int:
        async with connected(proxy.server.address) as client:
            await client.send(request)
            return (await client.response()).status

    async def visit() -> None:
        user = '{"sub_id": {"format": "email", "email": "a@b"}}'
        nobody = '{"sub_id": {"format": "device"}}'
        other = '{"sub_id": {"format": "iss_sub", "iss": "https://other", "sub": "a"}}'
        event = end()
        cases = [
            (build(PATH, event), 202),
            (build(PATH, event), 400),
            (build(PATH, sign_event(tenant, "verification", jti=f"left{next(_events)}")), 202),
            (build(PATH, resign(end())), 400),
            (build(PATH, resign(end(), kid="unknown")), 400),
            (build(PATH, end(aud="https://other")), 400),
            (build(PATH, "garbage"), 400),
            (build(PATH, event, "text/plain"), 400),
            (build(PATH, "a" * 70_000), 400),
            (revoke(user, sign_credential(tenant)), 204),
            (revoke(nobody, sign_credential(tenant)), 400),
            (revoke(other, sign_credential(tenant)), 403),
            (revoke(user, ""), 401),
            (revoke(user, resign(sign_credential(tenant))), 401),
        ]
        for request, status in cases:
            # Whether a key that is unknown is none is not known until it was looked for again.
            assert await ask(request) in (status, 503), request
        async with connected(proxy.server.address) as client:
            await client.send(build(PATH, event, missing=10))

    assert await leftovers(visit, kept=KEPT) == {}
