"""Assertions that somebody else signs, and our own with a certificate in the header."""

from __future__ import annotations

import logging
from base64 import b64decode
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.config.models import Client
from proxy.errors import ExchangeMisconfigured
from proxy.exchange.client_auth import build_client_authentication
from proxy.jose.certificates import load_certificates
from proxy.jose.private_keys import generate_key, pem
from tests.support.certificates import Authority
from tests.support.exchanging import ALICE, GOOD, REQUEST, exchanging
from tests.support.issuer import NOW
from tests.support.kubelet import Volume
from tests.support.scripted_server import answer

URL = "https://example.okta.com/oauth2/default/v1/token"
TYPE = "urn:ietf:params:oauth:client-assertion-type:"
KUBERNETES = {"iss": "https://kubernetes", "sub": "system:serviceaccount:a:b", "aud": ["https://as"]}
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def vouch(**claims: Any) -> str:
    return jwt.encode(KUBERNETES | {"iat": NOW - 600, "exp": NOW + 3000} | claims, "0" * 64)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path / "tokens", {"as": vouch()})


def by_file(volume: Volume, **more: Any) -> Client:
    return Client(auth="assertion_file", assertion_file=volume / "as", **more)


@pytest.mark.parametrize("assertion_type", ["jwt-bearer", "jwt-spiffe"])
@pytest.mark.parametrize("client_id", [None, "0oa9"])
async def test_the_file_is_sent_as_it_is(volume, assertion_type, client_id):
    """RFC 7523 §2.2: client_id is there only where it is configured; nothing else of ours goes along."""
    client = by_file(volume, id=client_id, assertion_type=assertion_type)
    async with exchanging(GOOD, client=client) as at:
        await at.server.grant(REQUEST, ALICE)
        [asked] = at.asked
        ours = {"client_assertion_type": TYPE + assertion_type, "client_assertion": vouch()}
        if client_id is not None:
            ours["client_id"] = client_id
        assert {name: value for name, value in asked.form.items() if name.startswith("client_")} == ours
        assert "authorization" not in asked.headers


async def test_the_swap_of_the_link_counts_at_once(volume):
    """X-11: the very next request goes by the new file."""
    async with exchanging(GOOD, client=by_file(volume)) as at:
        for number in range(3):
            volume.update({"as": vouch(jti=str(number))})
            await at.server.grant(REQUEST, ALICE)
        assert [asked.form["client_assertion"] for asked in at.asked] == [vouch(jti=n) for n in "012"]


async def test_a_file_that_is_being_written(volume, tmp_path):
    """X-11: a helper that writes in place leaves half a token for a moment: the whole one before stands."""
    async with exchanging(GOOD, client=by_file(volume)) as at:
        await at.server.grant(REQUEST, ALICE)
        for half in ("", vouch()[:40], "\n"):
            (volume / "as").write_text(half)
            await at.server.grant(REQUEST, ALICE)
            assert at.server.validity().fault
        assert {asked.form["client_assertion"] for asked in at.asked} == {vouch()}


@pytest.mark.parametrize("exp", [NOW, NOW - 3600])
async def test_one_that_has_ended(volume, exp):
    """Contract 8: not sent; the reason names the file and its exp, and nothing of the assertion; then it is renewed."""
    volume.update({"as": vouch(exp=exp)})
    async with exchanging(GOOD, client=by_file(volume)) as at:
        with pytest.raises(ExchangeMisconfigured) as refused:
            await at.server.grant(REQUEST, ALICE)
        told = str(refused.value)
        assert str(volume / "as") in told
        assert f"exp {exp:.0f}" in told
        assert refused.value.remedy.startswith("See that what writes client.assertion_file")
        for part in (*vouch(exp=exp).split("."), "system:serviceaccount", "https://kubernetes"):
            assert part not in f"{told} {at.records}"
        assert at.asked == []
        assert at.server.status().last_error == told
        volume.update({"as": vouch()})
        assert await at.server.grant(REQUEST, ALICE)


async def test_one_that_has_ended_beside_a_file_that_is_no_good(volume):
    """Why nothing newer is used is part of the reason."""
    async with exchanging(GOOD, client=by_file(volume)) as at:
        await at.server.grant(REQUEST, ALICE)
        volume.update({"as": "half a token"})
        at.clock.advance(4000)
        with pytest.raises(ExchangeMisconfigured, match="cannot be used: holds no signed JWT"):
            await at.server.grant(REQUEST, ALICE)


async def test_its_end_is_known(volume):
    """Contract 8: to the status page and the metrics; from the claims, whoever signed them."""
    async with exchanging(GOOD, client=by_file(volume)) as at:
        validity = at.server.status().client_validity
        assert (validity.kind, validity.file) == ("assertion", str(volume / "as"))
        assert (validity.begins_at, validity.expires_at, validity.fault) == (NOW - 600, NOW + 3000, None)
        assert not validity.has_ended(NOW)
        assert validity.has_ended(NOW + 3000)


async def test_a_refusal_says_what_to_compare(volume):
    """The remedy is not one of a secret's; and what the server says back is not quoted (X-14)."""
    said = {"error": "invalid_client", "error_description": f"not trusted: {vouch()}"}
    async with exchanging(answer(401, said), client=by_file(volume)) as at:
        with pytest.raises(ExchangeMisconfigured) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert refused.value.remedy.startswith(
            "Compare iss, sub and aud of the token in client.assertion_file"
        )
        assert vouch() not in str(refused.value)
        assert vouch().split(".")[2] not in str(refused.value)


async def test_a_refused_assertion_is_read_again(volume):
    """X-11: swapped between the request and its refusal, the new one is tried once."""

    def refuse(_asked: Any) -> bytes:
        volume.update({"as": vouch(jti="new")})
        return answer(401, {"error": "invalid_client"})

    async with exchanging(refuse, GOOD, client=by_file(volume)) as at:
        assert await at.server.grant(REQUEST, ALICE)
        assert [asked.form["client_assertion"] for asked in at.asked] == [vouch(), vouch(jti="new")]


async def test_who_we_are_tells_us_apart(volume):
    """C-01: without a client id the cache goes by whom the assertion is of, whatever else changes in it."""
    identities = []
    for claims in ({}, {"jti": "other"}, {"sub": "system:serviceaccount:a:c"}, {"iss": "https://other"}):
        volume.update({"as": vouch(**claims)})
        async with exchanging(GOOD, client=by_file(volume)) as at:
            identities.append(at.server.client_identity[1])
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3
    async with exchanging(GOOD, client=by_file(volume, id="0oa9")) as at:
        assert at.server.client_identity[1] == "0oa9"


# --- private_key_jwt with a certificate


def certified(volume: Volume, **more: Any) -> Client:
    files = {"private_key_file": volume / "key", "certificate_file": volume / "certificate"}
    return Client(id="id", auth="private_key_jwt", **files, **more)


def certify(authority: Authority, key: Any) -> dict[str, bytes]:
    issued = authority.issue("obo-proxy", key=key)
    return {"key": pem(key), "certificate": issued.cert_file.read_bytes() + authority.ca_file.read_bytes()}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def header_of(client: Client) -> dict[str, Any]:
    form = dict(build_client_authentication(client).authenticate(URL, NOW).form)
    return jwt.get_unverified_header(form["client_assertion"])


@pytest.mark.parametrize(("key", "alg"), [(RSA_KEY, "PS256"), (generate_key("ES256"), "ES256")])
def test_the_certificate_is_named_instead_of_the_key(authority, tmp_path, key, alg):
    """Entra ID looks the key up by x5t#S256; an RSA key signs by PS256 there unless it is said otherwise."""
    volume = Volume(tmp_path / "pair", certify(authority, key))
    leaf, root = load_certificates((volume / "certificate").read_bytes())
    assert header_of(certified(volume)) == {"alg": alg, "typ": "JWT", "x5t#S256": leaf.thumbprint}
    header = header_of(certified(volume, send_chain=True, key_id="mine"))
    assert [b64decode(one) for one in header.pop("x5c")] == [leaf.der, root.der]
    assert header == {"alg": alg, "typ": "JWT", "x5t#S256": leaf.thumbprint, "kid": "mine"}


def test_another_algorithm_may_be_named(authority, tmp_path):
    """signing_alg goes before the default."""
    volume = Volume(tmp_path / "pair", certify(authority, RSA_KEY))
    assert header_of(certified(volume, signing_alg="RS256"))["alg"] == "RS256"


def test_key_and_certificate_are_swapped_together(authority, tmp_path, caplog):
    """X-11: a key without its certificate changes nothing, and is told."""
    old, new = certify(authority, generate_key("ES256")), certify(authority, generate_key("ES256"))
    volume = Volume(tmp_path / "pair", old)
    authentication = build_client_authentication(certified(volume))
    first = authentication.authenticate(URL, NOW).source
    volume.update({"key": new["key"], "certificate": old["certificate"]})
    assert authentication.authenticate(URL, NOW).source == first
    assert authentication.validity().fault.startswith("no certificate in certificate_file is of a key")
    assert [line.msg for line in caplog.records if line.levelno == logging.WARNING] == [
        "new credentials are not usable"
    ]
    volume.update(new)
    assert authentication.authenticate(URL, NOW).source != first
    assert authentication.validity().fault is None


def test_two_keys_with_their_certificates(authority, tmp_path):
    """X-11: each assertion names the certificate of its own key, and the other's is no part of its chain."""
    new, old = certify(authority, generate_key("ES256")), certify(authority, generate_key("ES256"))
    both = {name: new[name] + old[name] for name in new}
    volume = Volume(tmp_path / "pair", both)
    authentication = build_client_authentication(certified(volume, send_chain=True))
    chains = []
    for _ in range(2):
        credentials = authentication.authenticate(URL, NOW)
        authentication.refuse(credentials)
        header = jwt.get_unverified_header(dict(credentials.form)["client_assertion"])
        chains.append(header["x5c"])
    leaves = load_certificates(new["certificate"])[0].der, load_certificates(old["certificate"])[0].der
    assert tuple(b64decode(chain[0]) for chain in chains) == leaves
    assert not {chains[1][0]} & set(chains[0])


def test_the_certificates_end_is_known(authority, tmp_path):
    """As an assertion's is; a key alone has none."""
    volume = Volume(tmp_path / "pair", certify(authority, RSA_KEY))
    validity = build_client_authentication(certified(volume)).validity()
    leaf = load_certificates((volume / "certificate").read_bytes())[0]
    assert (validity.kind, validity.expires_at) == ("certificate", leaf.expires_at)
    plain = Client(id="id", auth="private_key_jwt", private_key_file=volume / "key")
    assert build_client_authentication(plain).validity() is None
