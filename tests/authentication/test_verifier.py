"""Whose tokens are accepted, and how long a verdict is remembered."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.signing_keys import COOLDOWN, FetchedKeys, SigningKeys
from proxy.authentication.verifier import Accepted, Verifier
from proxy.errors import (
    AuthorizationServerUnavailable,
    IssuerUnknown,
    ScopeInsufficient,
    SubjectTokenError,
    SubjectTokenExpired,
    SubjectTokenInvalid,
    SubjectTokenRefused,
)
from proxy.runtime import Background
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Issuer, StillClock, make_body, make_rsa_key

OKTA = Issuer()
OTHER = Issuer("https://login.example.com/oauth2/default", key=make_rsa_key("other"))
ORG = Issuer("https://dev-1.okta.com")


class Bench:
    """A verifier with a clock that stands still and servers that count."""

    def __init__(self):
        self.clock = StillClock()
        self.background = Background()
        self.fetches = 0
        self.published = {OKTA.issuer: [OKTA.jwk], OTHER.issuer: [OTHER.jwk], ORG.issuer: [ORG.jwk]}
        self.keys = {issuer: self._make_keys(issuer) for issuer in self.published}

    def _make_keys(self, issuer):
        async def fetch():
            self.fetches += 1
            if not self.published[issuer]:
                raise AuthorizationServerUnavailable
            return FetchedKeys(make_body(*self.published[issuer]))

        return SigningKeys(fetch, clock=self.clock, background=self.background, sleep=self._sleep)

    async def _sleep(self, seconds):
        await asyncio.Event().wait()

    def accept(self, issuer=ISSUER, **policy):
        return Accepted("okta", replace(SubjectTokenPolicy(issuer, AUDIENCE), **policy), self.keys[issuer])

    def build(self, *accepted, build_identity=None, size=100, revoked=None):
        return Verifier(
            accepted or (self.accept(),),
            clock=self.clock,
            background=self.background,
            build_identity=build_identity
            or (lambda value, claims: hashlib.sha256(claims["sub"].encode()).digest()),
            size=size,
            revoked=revoked,
        )


class FakeRevoked:
    """Knows of revocations, some of which it has to look up."""

    def __init__(self):
        self.revoked = set()
        self.elsewhere = set()
        self.looked_up = 0

    def identify(self, claims):
        return (claims["sub"].encode(),) if claims["iss"] == ISSUER else ()

    async def look_up(self, identifiers):
        self.looked_up += 1
        await asyncio.sleep(0)
        self.revoked |= self.elsewhere

    def require(self, identifiers, issued_at, expires_at):
        if not self.revoked.isdisjoint(identifiers):
            raise SubjectTokenRefused


@asynccontextmanager
async def benched():
    bench = Bench()
    try:
        yield bench
    finally:
        await bench.background.aclose()


async def test_verify():
    """A good token becomes a subject token with everything the rest of the proxy needs."""
    async with benched() as bench:
        verified = await bench.build().verify(OKTA.mint())
        assert verified.value == OKTA.mint()
        assert (verified.authorization_server, verified.issuer) == ("okta", ISSUER)
        assert verified.subject == "alice@example.com"
        assert verified.claims == OKTA.claims()
        assert verified.expires_at == NOW + 3600
        assert verified.identity == hashlib.sha256(b"alice@example.com").digest()


async def test_recall():
    """A-27: a verdict is remembered for exactly this token."""
    async with benched() as bench:
        verifier, token = bench.build(), OKTA.mint()
        assert verifier.recall(token) is None
        verified = await verifier.verify(token)
        assert verifier.recall(token) is verified
        assert verifier.recall(token + "=") is None
        assert verifier.recall(token[:-1]) is None
        assert verifier.recall("x" + token) is None
        assert verifier.recall(token[:9] + "x" + token[10:]) is None  # with the same signature
        assert verifier.recall(token.rpartition(".")[2]) is None
        assert verifier.recall("\ud800") is None


ALICE, BOB = b"alice@example.com", b"bob@example.com"


@pytest.mark.parametrize("place", ["revoked", "elsewhere"])
async def test_a_user_whose_access_was_revoked(place):
    """C-25: known here, or to be looked up; looked up once for each token, and not for a remembered verdict."""
    async with benched() as bench:
        revoked = FakeRevoked()
        getattr(revoked, place).add(ALICE)
        verifier, bobs = bench.build(revoked=revoked), OKTA.mint(sub=BOB.decode())
        with pytest.raises(SubjectTokenRefused):
            await verifier.verify(OKTA.mint())
        verified = await verifier.verify(bobs)
        assert verified.identifiers == (BOB,)
        assert verifier.recall(bobs) is verified
        assert revoked.looked_up == 2


async def test_the_end_of_a_users_access():
    """C-25: no verdict of that user's is left, others' are; nothing is kept of verdicts that have gone."""
    async with benched() as bench:
        verifier = bench.build(revoked=FakeRevoked(), size=2)
        tokens = [
            OKTA.mint(sub=sub.decode(), jti=str(number)) for number, sub in enumerate((ALICE, BOB, BOB))
        ]
        for token in tokens:
            await verifier.verify(token)
        assert len(verifier._identified) == 1  # the first has left for the third
        verifier.end(ALICE)
        assert [verifier.recall(token) is None for token in tokens] == [True, False, False]
        verifier.end(BOB)
        assert [verifier.recall(token) for token in tokens] == [None] * 3
        assert len(verifier._identified) == 0


async def test_a_doubt_has_everybody_looked_up_again():
    """C-25: but for those of whom nobody could tell."""
    async with benched() as bench:
        revoked = FakeRevoked()
        verifier = bench.build(bench.accept(), bench.accept(OTHER.issuer), revoked=revoked)
        tokens = [OKTA.mint(), OTHER.mint()]
        for token in tokens:
            await verifier.verify(token)
        verifier.doubt()
        assert [verifier.recall(token) is None for token in tokens] == [True, False]
        revoked.elsewhere.add(ALICE)
        with pytest.raises(SubjectTokenRefused):
            await verifier.verify(tokens[0])


async def test_what_is_outdated_while_a_user_is_looked_up():
    """A-27, C-25: neither a key that goes meanwhile nor a revocation that may not be heard leaves a verdict."""
    async with benched() as bench:
        revoked = FakeRevoked()
        look_up = revoked.look_up

        async def look_up_slowly(identifiers):
            await look_up(identifiers)
            bench.keys[ISSUER].outdate()

        revoked.look_up = look_up_slowly
        verifier, token = bench.build(revoked=revoked), OKTA.mint()
        await verifier.verify(token)
        assert verifier.recall(token) is None


async def test_a_token_that_is_verified_again_takes_nobodys_place():
    """C-17: a full table stays as it is."""
    async with benched() as bench:
        verifier = bench.build(bench.accept(), size=2, revoked=FakeRevoked())
        tokens = [OKTA.mint(sub=name) for name in ("alice", "bob")]
        for token in tokens:
            await verifier.verify(token)
        verifier.doubt()
        await verifier.verify(tokens[1])
        assert {known.value for known in verifier._known.values()} == set(tokens)
        assert len(verifier._identified) == 2
        assert verifier.recall(tokens[0]) is None
        assert verifier.recall(tokens[1])


async def test_recall_ends_with_the_token():
    """A-27: a verdict ends with the token and the tolerance, and does not come back with a clock set back."""
    async with benched() as bench:
        verifier, token = bench.build(), OKTA.mint()
        await verifier.verify(token)
        bench.clock.advance(3629)
        assert verifier.recall(token)
        bench.clock.advance(1)
        assert verifier.recall(token) is None
        with pytest.raises(SubjectTokenExpired):
            await verifier.verify(token)
        bench.clock.now -= 3600
        assert verifier.recall(token) is None


async def test_recall_sees_a_clock_set_forward():
    """A-27: a clock that jumps past the token's end ends the verdict."""
    async with benched() as bench:
        verifier, token = bench.build(), OKTA.mint()
        await verifier.verify(token)
        bench.clock.now += 3630
        assert verifier.recall(token) is None


async def test_recall_ends_with_the_key():
    """K-05: once the key that verified a token is withdrawn, so is the verdict."""
    async with benched() as bench:
        verifier, token = bench.build(), OKTA.mint()
        await verifier.verify(token)
        bench.published[ISSUER] = [Issuer(kid="key-2", key=make_rsa_key("second")).jwk]
        with pytest.raises(SubjectTokenInvalid):
            await verifier.verify(OKTA.mint({"kid": "unknown"}))
        assert verifier.recall(token) is None
        with pytest.raises(AuthorizationServerUnavailable):  # the keys were just fetched: it may come back
            await verifier.verify(token)
        bench.clock.advance(COOLDOWN)
        with pytest.raises(SubjectTokenInvalid):
            await verifier.verify(token)


async def test_memory_is_bounded():
    """A-27: no more verdicts are kept than told; the least used go first."""
    async with benched() as bench:
        verifier = bench.build(size=2)
        first, second, third = (OKTA.mint(jti=f"AT.{number}") for number in range(3))
        await verifier.verify(first)
        await verifier.verify(second)
        assert verifier.recall(first)
        await verifier.verify(third)
        assert verifier.recall(second) is None
        assert verifier.recall(first)


@pytest.mark.parametrize(
    "changes", [{"exp": int(NOW) - 60}, {"sub": ""}, {"aud": "other"}], ids=["exp", "sub", "aud"]
)
async def test_refusals_are_not_remembered(changes):
    """A refused token leaves nothing behind."""
    async with benched() as bench:
        verifier, token = bench.build(), OKTA.mint(**changes)
        with pytest.raises(SubjectTokenError):
            await verifier.verify(token)
        assert verifier.recall(token) is None


@pytest.mark.parametrize(
    "issuer", [ISSUER + "/", ISSUER.replace("example", "Example"), "https://a", ISSUER[:-1]], ids=str
)
async def test_issuer_unknown(issuer):
    """A-10, A-19: an issuer is one of ours to the byte, or refused with both names in the log's text."""
    async with benched() as bench:
        with pytest.raises(IssuerUnknown) as caught:
            await bench.build().verify(Issuer(issuer).mint())
        assert f"expected {ISSUER}, got '{issuer}'" in str(caught.value)
        assert bench.fetches == 0


async def test_keys_speak_for_their_issuer_alone():
    """A-10: a token of one accepted issuer that is signed with another's key is refused."""
    async with benched() as bench:
        verifier = bench.build(bench.accept(), bench.accept(OTHER.issuer))
        assert (await verifier.verify(OTHER.mint())).issuer == OTHER.issuer
        with pytest.raises(SubjectTokenInvalid):
            await verifier.verify(OTHER.mint(iss=ISSUER))


@pytest.mark.parametrize("fresh", [False, True])
async def test_org_tokens_cause_no_fetch(fresh):
    """A-17: a thousand tokens of Okta's org authorization server, stale or fresh, fetch no keys."""
    header = {"typ": "application/okta-internal-at+jwt"}
    token = ORG.mint(header, aud=ORG.issuer, exp=int(NOW) + (3600 if fresh else -3600))
    async with benched() as bench:
        verifier = bench.build(bench.accept(), bench.accept(ORG.issuer))
        for _ in range(1000):
            with pytest.raises(SubjectTokenInvalid, match="org_authorization_server_token"):
                await verifier.verify(token)
        assert bench.fetches == 0


async def test_alg_is_checked_before_keys_are_fetched():
    """K-04: a token whose algorithm is not allowed causes no fetch."""
    async with benched() as bench:
        with pytest.raises(SubjectTokenInvalid):
            await bench.build(bench.accept(algorithms=frozenset({"ES256"}))).verify(OKTA.mint({"kid": "x"}))
        assert bench.fetches == 0


async def test_one_entry_suffices():
    """Of two entries for one server, a token has to satisfy one."""
    async with benched() as bench:
        entries = bench.accept(expected_audience="api://a"), bench.accept(expected_audience="api://b")
        verifier = bench.build(*entries)
        for audience in ("api://a", "api://b"):
            assert await verifier.verify(OKTA.mint(aud=audience))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "api://c"}, SubjectTokenInvalid),
        ({"aud": "api://a", "exp": int(NOW) - 60}, SubjectTokenExpired),
        ({"aud": "api://b"}, ScopeInsufficient),
        ({"aud": ["api://a", "api://b"], "cid": "x"}, ScopeInsufficient),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
async def test_closest_refusal(changes, error, turned):
    """The refusal is that of the entry that came closest, whichever stands first."""
    async with benched() as bench:
        entries = [
            bench.accept(expected_audience="api://a", client_ids=frozenset({"0oaclient"})),
            bench.accept(expected_audience="api://b", required_scopes=("orders:write",)),
        ]
        with pytest.raises(error):
            await bench.build(*(reversed(entries) if turned else entries)).verify(OKTA.mint(**changes))


async def test_keys_not_to_be_had():
    """K-08: without keys the refusal is ours, not the token's."""
    async with benched() as bench:
        bench.published[ISSUER] = []
        with pytest.raises(AuthorizationServerUnavailable):
            await bench.build().verify(OKTA.mint())


async def test_ready():
    """Ready with the keys of one issuer at least; the status names each."""
    async with benched() as bench:
        verifier = bench.build(bench.accept(), bench.accept(OTHER.issuer))
        assert not verifier.ready
        bench.published[OTHER.issuer] = []
        assert await verifier.verify(OKTA.mint())
        assert verifier.ready
        assert {issuer: status.ready for issuer, status in verifier.status().items()} == {
            ISSUER: True,
            OTHER.issuer: False,
        }


async def test_surprises():
    """A-22: what nobody foresaw is a refused token, not a fault of ours."""

    def build_identity(value, claims):
        raise ZeroDivisionError(value)

    async with benched() as bench:
        token = OKTA.mint()
        with pytest.raises(SubjectTokenInvalid, match="ZeroDivisionError") as caught:
            await bench.build(build_identity=build_identity).verify(token)
        assert token not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text(text):
    """A-22: any text is refused from the table, and never recalled."""

    async def check():
        async with benched() as bench:
            verifier = bench.build()
            assert verifier.recall(text) is None
            with pytest.raises(SubjectTokenError):
                await verifier.verify(text)

    asyncio.run(check())


class Introspector:
    """Answers what it is told to; waits for ``opened``."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = 0
        self.called = asyncio.Event()
        self.opened = asyncio.Event()
        self.opened.set()

    async def __call__(self, token):
        self.calls += 1
        self.called.set()
        await self.opened.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


ACTIVE = {"active": True, "sub": "alice", "aud": AUDIENCE, "exp": int(NOW) + 60}


def introspecting(introspect, issuer=ISSUER):
    return Accepted("okta", SubjectTokenPolicy(issuer, AUDIENCE), introspect=introspect)


async def test_introspection():
    """An opaque token is introspected each time: it can be withdrawn at once."""
    async with benched() as bench:
        introspect = Introspector(ACTIVE)
        verifier = bench.build(introspecting(introspect))
        assert verifier.ready
        assert verifier.status() == {}
        assert (await verifier.verify("opaque")).subject == "alice"
        assert verifier.recall("opaque") is None
        introspect.answer = {"active": False}
        with pytest.raises(SubjectTokenInvalid):
            await verifier.verify("opaque")
        assert introspect.calls == 2


async def test_introspection_is_shared():
    """Those who bring the same token at once share one question, whoever leaves."""
    async with benched() as bench:
        introspect = Introspector(ACTIVE)
        introspect.opened.clear()
        verifier = bench.build(introspecting(introspect))
        first, *others = (asyncio.ensure_future(verifier.verify("opaque")) for _ in range(10))
        await introspect.called.wait()
        first.cancel()
        introspect.opened.set()
        assert {verified.subject for verified in await asyncio.gather(*others)} == {"alice"}
        assert introspect.calls == 1


async def test_introspection_beside_keys():
    """Opaque tokens go to the server that introspects; JWTs stay with their issuer's entry."""
    async with benched() as bench:
        introspect = Introspector(ACTIVE)
        verifier = bench.build(bench.accept(), introspecting(introspect, ORG.issuer))
        assert await verifier.verify(OKTA.mint())
        assert introspect.calls == 0
        assert (await verifier.verify("opaque")).issuer == ORG.issuer
        assert (
            await verifier.verify(ORG.mint({"typ": "application/okta-internal-at+jwt"}))
        ).subject == "alice"
        with pytest.raises(SubjectTokenInvalid):
            await verifier.verify("x" * 20_000)
        assert introspect.calls == 2


async def test_introspection_unavailable():
    """A server that cannot be asked is named before any refusal: the token may be good."""
    async with benched() as bench:
        down = introspecting(Introspector(AuthorizationServerUnavailable()))
        inactive = introspecting(Introspector({"active": False}))
        with pytest.raises(AuthorizationServerUnavailable):
            await bench.build(inactive, down).verify("opaque")


async def test_entry_with_neither():
    """An entry with neither keys nor introspection accepts nothing."""
    async with benched() as bench:
        with pytest.raises(SubjectTokenInvalid):
            await bench.build(Accepted("okta", SubjectTokenPolicy(ISSUER, AUDIENCE))).verify(OKTA.mint())


async def test_a_bound_token_is_for_those_who_ask_for_its_key():
    """Whoever does not know of bindings gets none of these tokens, remembered or not."""
    async with benched() as bench:
        verifier = bench.build(bench.accept(dpop="accept"))
        token = OKTA.mint(cnf={"jkt": "x" * 43})
        for _ in range(2):
            with pytest.raises(SubjectTokenInvalid, match="cannot be used as a bearer token"):
                await verifier.verify(token)
            assert verifier.recall(token) is None
            assert (await verifier.verify(token, bound=True)).binding.key == "x" * 43
            assert verifier.recall(token, bound=True).binding.window == 90
        bearer = OKTA.mint()
        await verifier.verify(bearer)
        assert verifier.recall(bearer).binding is None
