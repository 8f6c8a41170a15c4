"""Who we are at an authorization server: each way to prove it has keys and files of its own."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from proxy.config.load import parse_settings
from proxy.config.show import build_shown
from proxy.jose.private_keys import generate_key, pem
from tests.support.certificates import Authority

from .samples import CLIENT, change, faults_of

KEY = generate_key("ES256")
ASSERTION = jwt.encode({"sub": "system:serviceaccount:a:b", "exp": 1}, "0" * 64)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Sound files by their use."""
    authority = Authority(tmp_path)
    tls, signing = authority.issue("tls"), authority.issue("signing", key=KEY)
    contents = {
        "KEY": pem(KEY),
        "ASSERTION": ASSERTION.encode(),
        "SECRETS": b"new\nold\n",
        "BOTH": signing.cert_file.read_bytes() + authority.ca_file.read_bytes(),
    }
    paths = {name: tmp_path / name for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
        path.chmod(0o600)
    return {name: str(path) for name, path in paths.items()} | {
        "CERT": str(tls.cert_file),
        "CERT_KEY": str(tls.key_file),
        "SIGNING_CERT": str(signing.cert_file),
    }


def place(client: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    """``client`` with the paths of the files that it names."""
    return {
        key: files.get(value, value) if isinstance(value, str) else value for key, value in client.items()
    }


@pytest.mark.parametrize(
    "client",
    [
        {"id": "a", "secret_file": "SECRETS"},
        {"id": "a", "auth": "private_key_jwt", "private_key_file": "KEY", "certificate_file": "SIGNING_CERT"},
        {"id": "a", "auth": "private_key_jwt", "private_key_file": "KEY", "certificate_file": "BOTH", "send_chain": True},
        {"auth": "assertion_file", "assertion_file": "ASSERTION"},
        {"id": "a", "auth": "assertion_file", "assertion_file": "ASSERTION", "assertion_type": "jwt-spiffe"},
        {"id": "a", "auth": "tls_client_auth", "cert_file": "CERT", "key_file": "CERT_KEY"},
        {"id": "spiffe://a/b", "auth": "self_signed_tls_client_auth", "cert_file": "CERT", "key_file": "CERT_KEY"},
    ],
)  # fmt: skip
def test_sound_clients(client: dict[str, Any], files: dict[str, str]) -> None:
    """Contract 8: also an assertion that has ended by now, for the file will be another."""
    assert faults_of(change((CLIENT, place(client, files)))) == []


TLS = {"id": "a", "auth": "tls_client_auth", "cert_file": "CERT", "key_file": "CERT_KEY"}
BY_FILE = {"auth": "assertion_file", "assertion_file": "ASSERTION"}
SIGNING = {"id": "a", "auth": "private_key_jwt", "private_key_file": "KEY"}


@pytest.mark.parametrize(
    ("client", "faults"),
    [
        ({"secret": "s"}, ["id: required"]),
        (SIGNING | {"id": None}, ["id: required"]),
        (TLS | {"id": None}, ["id: required"]),
        ({"auth": "assertion_file"}, ["assertion_file: required with auth: assertion_file"]),
        (BY_FILE | {"secret": "s"}, ["secret: not used with auth: assertion_file, so leave it out"]),
        (BY_FILE | {"private_key_file": "KEY"}, ["private_key_file: not used with auth: assertion_file, but with private_key_jwt"]),
        ({"id": "a", "auth": "tls_client_auth"}, ["cert_file: required with auth: tls_client_auth", "key_file: required with auth: tls_client_auth"]),
        (TLS | {"key_file": None}, ["key_file: required with auth: tls_client_auth"]),
        (TLS | {"assertion_file": "ASSERTION"}, ["assertion_file: not used with auth: tls_client_auth, but with assertion_file"]),
        (SIGNING | {"cert_file": "CERT"}, ["cert_file: not used with auth: private_key_jwt, so leave it out"]),
        (SIGNING | {"send_chain": True}, ["send_chain: needs certificate_file, which holds the chain"]),
        ({"id": "a", "secret": "s", "certificate_file": "CERT"}, ["certificate_file: not used with auth: client_secret_basic, but with private_key_jwt"]),
        ({"id": "a", "secret": "s", "assertion_type": "jwt-spiffe"}, ["assertion_type: not used with auth: client_secret_basic, but with assertion_file"]),
        (BY_FILE | {"assertion_type": "saml2"}, ["assertion_type: not one of 'jwt-bearer' or 'jwt-spiffe' (got 'saml2')"]),
    ],
)  # fmt: skip
def test_keys_of_another_way(client: dict[str, Any], faults: list[str], files: dict[str, str]) -> None:
    """A key without effect is a mistake: somebody relies on it."""
    given = {key: value for key, value in place(client, files).items() if value is not None}
    assert faults_of(change((CLIENT, given))) == [f"{CLIENT}.{fault}" for fault in faults]


@pytest.mark.parametrize(
    ("key", "client", "content", "fault"),
    [
        ("assertion_file", BY_FILE, b"", "empty"),
        ("assertion_file", BY_FILE, b"CANARY", "holds no signed JWT"),
        ("assertion_file", BY_FILE, jwt.encode({"sub": "CANARY"}, "0" * 64).encode(), "holds a JWT without exp"),
        ("assertion_file", BY_FILE, jwt.encode({"exp": 1}, "0" * 64).encode(), "holds a JWT without sub, so it vouches for nobody"),
        ("secret_file", {"id": "a", "secret_file": "SECRETS"}, b"a\nb\nCANARY", "more than 2 lines: one secret, or the new one and the old"),
        ("certificate_file", SIGNING | {"certificate_file": "BOTH"}, b"CANARY", "holds no certificate in PEM that can be read"),
    ],
)  # fmt: skip
def test_files_that_are_unfit(
    key: str, client: dict[str, Any], content: bytes, fault: str, files: dict[str, str]
) -> None:
    """Contract 2.3: noticed before the start; no fault quotes what a file holds."""
    client = place(client, files)
    Path(client[key]).write_bytes(content)
    found = faults_of(change((CLIENT, client)))
    assert found == [f"{CLIENT}.{key}: {fault} (got {client[key]!r})"]
    assert "CANARY" not in str(found)


@pytest.mark.parametrize("key", ["assertion_file", "cert_file", "key_file", "certificate_file"])
def test_files_that_are_not_there(key: str, files: dict[str, str]) -> None:
    """Each is named."""
    client = {"assertion_file": BY_FILE, "certificate_file": SIGNING}.get(key, TLS)
    faults = faults_of(change((CLIENT, place(client | {key: "/nowhere"}, files))))
    assert faults == [f"{CLIENT}.{key}: cannot be read: No such file or directory (got '/nowhere')"]


def test_certificates_of_another_key(files: dict[str, str]) -> None:
    """Halves that do not belong together prove nothing."""
    client = place(SIGNING | {"certificate_file": "CERT"}, files)
    [fault] = faults_of(change((CLIENT, client)))
    assert fault.startswith(f"{CLIENT}.certificate_file: holds no certificate of the key in private_key_file")
    client = place(TLS | {"cert_file": "SIGNING_CERT"}, files)
    [fault] = faults_of(change((CLIENT, client)))
    assert fault.startswith(f"{CLIENT}.cert_file: ")


def test_a_key_that_others_may_write_to(files: dict[str, str]) -> None:
    """As with every secret."""
    Path(files["CERT_KEY"]).chmod(0o666)
    [fault] = faults_of(change((CLIENT, place(TLS, files))))
    assert fault.startswith(f"{CLIENT}.key_file: others may write to it: chmod go-w")


@pytest.mark.parametrize("key", ["token_url", "introspection_url"])
def test_certificates_need_https(key: str, files: dict[str, str]) -> None:
    """RFC 8705: they are shown in a handshake, which plain http has none of."""
    raw = change((CLIENT, place(TLS, files)), (f"authorization_servers.okta.{key}", "http://localhost/x"))
    told = "plain http, where auth: tls_client_auth needs https (got 'http://localhost/x')"
    assert faults_of(raw) == [f"authorization_servers.okta.{key}: {told}"]


def test_what_is_shown_of_them(files: dict[str, str]) -> None:
    """X-14: paths alone."""
    shown = str(build_shown(parse_settings(change((CLIENT, place(BY_FILE, files))))))
    assert files["ASSERTION"] in shown
    assert ASSERTION not in shown
