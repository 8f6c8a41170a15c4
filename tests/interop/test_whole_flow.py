"""The whole flow at an authorization server that none of us wrote: verified, exchanged, cached, forwarded."""

from __future__ import annotations

import time

from tests.interop.idpyoidc_server import EXCHANGE, IdpyoidcServer
from tests.support.demo import decode
from tests.support.proxy import running
from tests.support.raw_upstream import RawUpstream, response

SECRET = "a:b%c+d e/=é"


class ShiftedClock:
    """Both clocks are ahead of the machine's by ``ahead`` seconds."""

    ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def settings(theirs: IdpyoidcServer, upstream: RawUpstream) -> dict:
    return {
        "authorization_servers": {
            "theirs": {
                "issuer": theirs.issuer,
                "client": {"id": "proxy", "auth": "client_secret_post", "secret": SECRET},
            }
        },
        "subject_tokens": [
            {"authorization_server": "theirs", "expected_audience": "api://default", "clock_tolerance": "60s"}
        ],
        "routes": [
            {
                "name": "orders",
                "path": "/",
                "upstream": upstream.url,
                "scopes": ["orders:read"],
            }
        ],
    }


async def test_alice_is_served_until_her_token_truly_ends(tmp_path):
    """C-11: the server says ``expires_in: 600`` of tokens that end after 60 s; no ended one reaches the API."""
    clock = ShiftedClock()
    async with IdpyoidcServer(tmp_path) as theirs, RawUpstream([response(b"served")]) as upstream:
        theirs.register("app", "client_secret_post", secret="x")
        theirs.register("proxy", "client_secret_post", secret=SECRET)
        token, subject = theirs.mint("alice", "app")
        asked = theirs.asked
        async with running(settings(theirs, upstream), clock=clock) as proxy:
            for after, exchanges in [(-25, 1), (15, 1), (53, 2)]:
                clock.ahead = after
                answer = await proxy.get("/7", token)
                assert (answer.status_code, answer.content) == (200, b"served")
                assert [each.form.get("grant_type") for each in asked].count(EXCHANGE) == exchanges
                sent = upstream.requests[-1].split(b"authorization: Bearer ")[1].split(b"\r\n")[0].decode()
                assert sent != token
                assert decode(sent)["sub"] == subject
                assert decode(sent)["exp"] > clock.time()
