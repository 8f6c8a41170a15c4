"""One issuer's signing keys: at hand, fresh, and never lost to a bad answer."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from proxy.authentication.signing_keys import COOLDOWN, MAX_STALE, FetchedKeys, SigningKeys
from proxy.errors import AuthorizationServerUnavailable, SubjectTokenInvalid
from proxy.runtime import Background
from tests.support.issuer import StillClock, make_body, make_jwk, make_key, make_rsa_key

OLD = make_jwk(make_rsa_key(), kid="old")
NEW = make_jwk(make_rsa_key("new"), kid="new")
EC = make_jwk(make_key("ES256"), kid="ec")
UNREACHABLE = AuthorizationServerUnavailable("connection refused")


class Server:
    """Answers with ``answer`` and counts; waits for ``opened`` before it does."""

    def __init__(self, *jwks):
        self.answer = make_body(*jwks)
        self.max_age = None
        self.calls = 0
        self.opened = asyncio.Event()
        self.opened.set()
        self.called = asyncio.Event()

    async def fetch(self):
        self.calls += 1
        self.called.set()
        await self.opened.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return FetchedKeys(self.answer, self.max_age)


class Sleeper:
    """Sleeps until woken; what it was asked for can be awaited."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = asyncio.Queue()
        self._woken = asyncio.Queue()

    async def __call__(self, seconds):
        self.asked.put_nowait(seconds)
        await self._woken.get()

    async def pass_by(self):
        """Let the time that was asked for pass, and wait until the refresh after it is done."""
        self.clock.advance(self.last)
        self._woken.put_nowait(None)
        return await self.next()

    async def next(self):
        self.last = await self.asked.get()
        return self.last


@asynccontextmanager
async def running(server, *, start=True):
    """Keys of ``server``, after the first fetch."""
    background, clock = Background(), StillClock()
    sleeper = Sleeper(clock)
    keys = SigningKeys(server.fetch, clock=clock, background=background, sleep=sleeper)
    try:
        if start:
            keys.start()
            await sleeper.next()
        yield keys, clock, sleeper
    finally:
        await background.aclose()


async def test_find():
    """A-08: a key is found by its exact kid and an algorithm that fits it, without I/O."""
    async with running(Server(OLD, EC)) as (keys, _, _):
        assert keys.ready
        assert keys.find("old", "RS256").kid == "old"
        assert keys.find("ec", "ES256").kid == "ec"
        assert await keys.get("old", "PS256") is keys.find("old", "RS256")
        for kid, alg in [("old", "ES256"), ("OLD", "RS256"), (None, "RS256"), ("../old", "RS256")]:
            assert keys.find(kid, alg) is None


async def test_token_without_kid():
    """A-08: without kid the only key there is will do; between two there is no choice, and no fetch."""
    async with running(Server(OLD)) as (keys, _, _):
        assert keys.find(None, "RS256").kid == "old"
    server = Server(OLD, EC)
    async with running(server) as (keys, _, _):
        with pytest.raises(SubjectTokenInvalid):
            await keys.get(None, "RS256")
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("old", "ES256")
        assert server.calls == 1


async def test_unknown_kid():
    """K-04: the fetch at start does not count; after one more fetch an unknown kid is refused."""
    server = Server(OLD)
    async with running(server) as (keys, _, _):
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("forged", "RS256")
        assert server.calls == 2


async def test_cooldown():
    """K-04, K-05: within the cooldown an unknown kid is a 503 that says when to come again."""
    server = Server(OLD)
    async with running(server) as (keys, clock, _):
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("forged", "RS256")
        server.answer = make_body(OLD, NEW)
        clock.advance(COOLDOWN - 5)
        with pytest.raises(AuthorizationServerUnavailable) as caught:
            await keys.get("new", "RS256")
        assert caught.value.retry_after == 5
        assert server.calls == 2
        clock.advance(5)
        assert (await keys.get("new", "RS256")).kid == "new"


@pytest.mark.parametrize("answer", [make_body(OLD), make_body(), UNREACHABLE], ids=["good", "empty", "down"])
async def test_flood(answer):
    """K-04: 10,000 unknown kids make one fetch, whatever it brings, and a known kid waits for none of them."""
    server = Server(OLD)
    async with running(server) as (keys, _, _):
        server.answer = answer
        server.opened.clear()
        server.called.clear()
        flood = [asyncio.ensure_future(keys.get(f"kid-{number}", "RS256")) for number in range(10_000)]
        await server.called.wait()
        assert (await keys.get("old", "RS256")).kid == "old"
        server.opened.set()
        results = await asyncio.gather(*flood, return_exceptions=True)
        assert {type(result) for result in results} <= {SubjectTokenInvalid, AuthorizationServerUnavailable}
        with pytest.raises(AuthorizationServerUnavailable):
            await keys.get("another", "RS256")
        assert server.calls == 2
        assert keys.find("old", "RS256")


async def test_departure_does_not_end_the_fetch():
    """K-04: one of those who wait may leave; the others get their key."""
    server = Server(OLD)
    async with running(server) as (keys, _, _):
        server.answer = make_body(OLD, NEW)
        server.opened.clear()
        server.called.clear()
        first, second = (asyncio.ensure_future(keys.get("new", "RS256")) for _ in range(2))
        await server.called.wait()
        first.cancel()
        server.opened.set()
        assert (await second).kid == "new"
        assert first.cancelled()


async def test_rotation():
    """K-05: a key published ahead is there at the refresh; a withdrawn one is used no more, after one look for it."""
    server = Server(OLD)
    async with running(server) as (keys, _, sleeper):
        server.answer = make_body(OLD, NEW)
        await sleeper.pass_by()
        assert keys.find("old", "RS256")
        assert keys.find("new", "RS256")
        assert keys.generation == 0
        server.answer = make_body(NEW)
        await sleeper.pass_by()
        assert keys.generation == 1
        calls = server.calls
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("old", "RS256")
        with pytest.raises(AuthorizationServerUnavailable):
            await keys.get("old", "RS256")
        assert server.calls == calls + 1


async def test_a_key_that_was_missing_once_is_found_again():
    """K-04, K-05: one answer without it, a stale copy perhaps, does not make its tokens bad until the next refresh."""
    server = Server(OLD, NEW)
    server.max_age = 86_400
    async with running(server) as (keys, clock, sleeper):
        server.answer = make_body(OLD)
        await sleeper.pass_by()
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("new", "RS256")
        server.answer = make_body(OLD, NEW)
        clock.advance(COOLDOWN - 1)
        with pytest.raises(AuthorizationServerUnavailable):
            await keys.get("new", "RS256")
        clock.advance(1)
        assert (await keys.get("new", "RS256")).kid == "new"


async def test_a_kid_that_stood_there_twice_is_found_again():
    """A-24, K-05: while it is ambiguous the key is not used; once it is clear again it is."""
    server = Server(OLD, NEW)
    async with running(server) as (keys, clock, sleeper):
        server.answer = make_body(OLD, NEW, NEW)
        await sleeper.pass_by()
        with pytest.raises(SubjectTokenInvalid):
            await keys.get("new", "RS256")
        server.answer = make_body(OLD, NEW)
        clock.advance(COOLDOWN)
        assert (await keys.get("new", "RS256")).kid == "new"


async def test_replaced_key():
    """K-05: another key under the same kid ends the verdicts of the former."""
    server = Server(OLD)
    async with running(server) as (keys, _, sleeper):
        server.answer = make_body(NEW | {"kid": "old"})
        await sleeper.pass_by()
        assert keys.generation == 1


@pytest.mark.parametrize(
    ("max_age", "earliest", "latest"),
    [(None, 432, 480), (0, 43.2, 48), (3600, 2592, 2880), (10**9, 62208, 69120)],
)
async def test_refresh_ahead(max_age, earliest, latest):
    """K-06, K-09: refreshed at 80 % of max-age, which is held between a minute and a day."""
    server = Server(OLD)
    server.max_age = max_age
    async with running(server) as (_, _, sleeper):
        assert earliest <= sleeper.last <= latest
        await sleeper.pass_by()
        assert server.calls == 2


GARBAGE = [
    b"",
    b"<html>",
    b"{}",
    b'{"keys":[]}',
    b'{"keys":[{"kty":"oct"}]}',
    UNREACHABLE,
    OSError("x"),
    RuntimeError(),
]


@pytest.mark.parametrize("answer", GARBAGE, ids=repr)
async def test_garbage_replaces_nothing(answer):
    """K-07: whatever the server says instead of keys, the good ones stay, and the refresh comes sooner."""
    server = Server(OLD)
    async with running(server) as (keys, _, sleeper):
        server.answer = answer
        assert await sleeper.pass_by() <= 30
        assert keys.find("old", "RS256")
        assert keys.status().failures == 1
        assert keys.status().error
        server.answer = make_body(NEW)
        await sleeper.pass_by()
        assert keys.status().error is None
        assert keys.find("new", "RS256")


async def test_stale_keys_end():
    """K-07: keys that could not be refreshed for a day are no longer trusted."""
    server = Server(OLD)
    async with running(server) as (keys, clock, sleeper):
        server.answer = UNREACHABLE
        clock.advance(MAX_STALE - 1000)
        await sleeper.pass_by()
        assert keys.ready
        clock.advance(1000)
        await sleeper.pass_by()
        assert not keys.ready
        assert keys.generation == 1
        with pytest.raises(AuthorizationServerUnavailable):
            await keys.get("old", "RS256")


async def test_cold_start():
    """K-08: without keys a token is a 503, never a 401; once the server is there, so are the keys."""
    server = Server(OLD)
    server.answer = UNREACHABLE
    async with running(server) as (keys, _, sleeper):
        assert not keys.ready
        assert sleeper.last <= 5
        for _ in range(3):
            with pytest.raises(AuthorizationServerUnavailable) as caught:
                await keys.get("old", "RS256")
            assert caught.value.retry_after >= 1
        assert server.calls == 2
        for _ in range(20):
            assert await sleeper.pass_by() <= 5
        server.answer = make_body(OLD)
        await sleeper.pass_by()
        assert keys.ready


async def test_first_request_joins_the_first_fetch():
    """K-08: a request that comes during the first fetch waits for it; nobody starts twice."""
    server = Server(OLD)
    server.opened.clear()
    async with running(server, start=False) as (keys, _, sleeper):
        keys.start()
        keys.start()
        await server.called.wait()
        request = asyncio.ensure_future(keys.get("old", "RS256"))
        server.opened.set()
        assert (await request).kid == "old"
        await sleeper.next()
        assert server.calls == 1


async def test_without_start():
    """Keys that nobody started are fetched when they are first asked for."""
    server = Server(OLD)
    async with running(server, start=False) as (keys, _, _):
        assert keys.status().age is None
        assert keys.status().next_refresh is None
        assert (await keys.get("old", "RS256")).kid == "old"


async def test_status(caplog):
    """The status names keys, refusals, age and the next refresh; a failure is logged without foreign texts."""
    server = Server(OLD, {"kty": "oct", "k": "canary"})
    async with running(server) as (keys, clock, sleeper):
        clock.advance(7)
        status = keys.status()
        assert status.ready
        assert status.key_ids == ("old",)
        assert status.refusals == ("keys[1]: holds a private or symmetric key",)
        assert status.age == 7
        assert status.next_refresh == pytest.approx(sleeper.last - 7)
        server.answer = RuntimeError("canary")
        await sleeper.pass_by()
        assert keys.status().error == "RuntimeError"
    assert "canary" not in caplog.text
