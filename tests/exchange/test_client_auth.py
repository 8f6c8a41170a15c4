"""Client authentication with literal secrets, and with keys in files that change."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from urllib.parse import unquote

import jwt
import pytest

from proxy.config.models import Client
from proxy.config.units import Secret
from proxy.exchange.client_auth import build_client_authentication
from proxy.jose.private_keys import ClientKey, build_jwks, generate_key, pem, public_jwk

URL = "https://example.okta.com/oauth2/default/v1/token"
NOW = 1_800_000_000.7
SECRETS = ["plain", "a:b%c+d e/=", "é€", "&=?#", "%3A", " lead and trail "]


def write(path: Path, content: bytes) -> None:
    """Swap the file as a mounted secret is swapped."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


@pytest.mark.parametrize("secret", SECRETS)
def test_basic_is_form_encoded_first(secret):
    """X-08: RFC 6749 §2.3.1; no plus sign, which a plain percent-decoder would leave."""
    credentials = build_client_authentication(Client(id="i:d", secret=Secret(secret))).authenticate(URL, NOW)
    scheme, _, value = credentials.authorization.partition(" ")
    pair = b64decode(value).decode()
    assert scheme == "Basic"
    assert "+" not in pair
    assert [unquote(half) for half in pair.split(":")] == ["i:d", secret]
    assert credentials.form == []


@pytest.mark.parametrize("secret", SECRETS)
def test_post_puts_both_into_the_form(secret):
    """RFC 6749 §2.3.1's other way: the form's own encoding is enough."""
    client = Client(id="id", auth="client_secret_post", secret=Secret(secret))
    credentials = build_client_authentication(client).authenticate(URL, NOW)
    assert credentials.form == [("client_id", "id"), ("client_secret", secret)]
    assert credentials.authorization is None


def test_a_secret_file_is_read_again(tmp_path):
    """X-11: what is in the file now is what is sent, and tells itself apart from what was; nothing is never sent."""
    file = tmp_path / "secret"
    write(file, b"\n")
    authentication = build_client_authentication(Client(id="id", auth="client_secret_post", secret_file=file))
    with pytest.raises(ValueError, match="empty"):
        authentication.authenticate(URL, NOW)
    write(file, b"first\n")
    first = authentication.authenticate(URL, NOW)
    write(file, b"second\n")
    second = authentication.authenticate(URL, NOW)
    assert (first.form[1][1], second.form[1][1]) == ("first", "second")
    assert first.source != second.source
    write(file, b"\n")
    assert authentication.authenticate(URL, NOW).source == second.source


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_an_assertion_says_what_rfc_7523_asks(tmp_path, alg):
    """X-09: iss = sub = client id, aud = the URL invoked, whole seconds, exp within 5 minutes, kid."""
    key = generate_key(alg)
    (tmp_path / "key").write_bytes(pem(key))
    client = Client(
        id="0oa9", auth="private_key_jwt", private_key_file=tmp_path / "key", key_id="k1", signing_alg=alg
    )
    credentials = build_client_authentication(client).authenticate(URL, NOW)
    form = dict(credentials.form)
    assertion = form.pop("client_assertion")
    assert form == {
        "client_id": "0oa9",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert jwt.get_unverified_header(assertion) == {"alg": alg, "kid": "k1", "typ": "JWT"}
    public = jwt.PyJWK(build_jwks([ClientKey(key, alg, "k1")])["keys"][0])
    claims = jwt.decode(
        assertion,
        public,
        algorithms=[alg],
        options={"verify_exp": False, "verify_aud": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("0oa9", "0oa9", URL)
    assert (claims["iat"], claims["exp"]) == (1_800_000_000, 1_800_000_120)
    assert type(claims["exp"]) is int


def test_no_two_assertions_are_alike(tmp_path):
    """X-09: a fresh jti each time; no repr shows one (X-14)."""
    (tmp_path / "key").write_bytes(pem(generate_key("ES256")))
    client = Client(id="id", auth="private_key_jwt", private_key_file=tmp_path / "key")
    authentication = build_client_authentication(client)
    made = [authentication.authenticate(URL, NOW) for _ in range(50)]
    claims = [
        jwt.decode(dict(one.form)["client_assertion"], options={"verify_signature": False}) for one in made
    ]
    assert len({one["jti"] for one in claims}) == 50
    assert "ey" not in repr(made[0])


def test_a_key_file_is_read_again(tmp_path, caplog):
    """X-11: a swapped key signs from then on; a half-written one leaves the last, said once; the first must be good."""
    file = tmp_path / "key"
    old, new = generate_key("ES256"), generate_key("ES256")
    write(file, b"-----BEGIN")
    client = Client(id="id", auth="private_key_jwt", private_key_file=file)
    authentication = build_client_authentication(client)
    with pytest.raises(ValueError, match="no private key"):
        authentication.authenticate(URL, NOW)
    for content, key in ((pem(old), old), (b"-----BEGIN", old), (pem(new), new)):
        write(file, content)
        for _ in range(2):
            assert public_jwk(authentication.signing_keys()[0].key) == public_jwk(key)
    assert [record.message for record in caplog.records] == ["new credentials are not usable"]


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (Client(id="id"), "secret or secret_file"),
        (Client(id="id", auth="private_key_jwt"), "private_key_file"),
        (Client(secret=Secret("s")), "needs id"),
        (Client(auth="assertion_file"), "needs the file"),
        (Client(id="id", auth="tls_client_auth"), "cert_file and key_file"),
    ],
)
def test_a_client_without_credentials(client, says):
    """Contract 2.3: noticed when it is built."""
    with pytest.raises(ValueError, match=says):
        build_client_authentication(client)
