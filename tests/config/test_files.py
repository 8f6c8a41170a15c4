"""Files that the configuration names are looked at before the start."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.jose.private_keys import PrivateKey, generate_key, pem

from .samples import CLIENT, change, faults_of

EC_KEY = pem(generate_key("ES256"))
ENCRYPTION_KEY = base64.b64encode(bytes(32)) + b"\n"


def write(path: Path, content: bytes, mode: int = 0o600) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def make_certificate(key: PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=9999))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("content", "mode", "faults"),
    [
        (b"s3cr3t\n", 0o600, []),
        (b"s3cr3t\n", 0o444, []),
        (b" \n", 0o600, ["empty"]),
        (b"s3cr3t", 0o620, ["others may write to it: chmod go-w"]),
        (b"s3cr3t", 0o602, ["others may write to it: chmod go-w"]),
        (b"", 0o666, ["empty", "others may write to it: chmod go-w"]),
    ],
)
def test_secret_files(content: bytes, mode: int, faults: list[str], tmp_path: Path) -> None:
    """Contract 2.3: a secret that others could replace is refused; so is none at all."""
    path = write(tmp_path / "secret", content, mode)
    raw = change((CLIENT, {"id": "a", "secret_file": path}))
    assert faults_of(raw) == [f"{CLIENT}.secret_file: {fault} (got {path!r})" for fault in faults]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere", "cannot be read: No such file or directory"),
        ("/", "cannot be read: Is a directory"),
        ("a\0b", "cannot be read: not a path"),
        ("/dev/zero", "larger than 1 MiB"),
    ],
)
def test_files_that_cannot_be_read(path: str, reason: str) -> None:
    """O-06: a missing file is known at the start, not at the first request."""
    raw = change((CLIENT, {"id": "a", "secret_file": path}))
    assert faults_of(raw) == [f"{CLIENT}.secret_file: {reason} (got {path!r})"]


def test_both_secrets_are_one_too_many(tmp_path: Path) -> None:
    """Which of two secrets counts must not be a matter of luck."""
    path = write(tmp_path / "secret", b"s3cr3t")
    assert faults_of(change((f"{CLIENT}.secret_file", path))) == [
        f"{CLIENT}.secret: given beside secret_file: leave one out"
    ]


def test_a_secret_beside_a_key_is_refused(tmp_path: Path) -> None:
    """With private_key_jwt no secret is used, so none may be lying there."""
    path = write(tmp_path / "key.pem", EC_KEY)
    raw = change((f"{CLIENT}.auth", "private_key_jwt"), (f"{CLIENT}.private_key_file", path))
    assert faults_of(raw) == [f"{CLIENT}.secret: not used with auth: private_key_jwt, so leave it out"]


@pytest.mark.parametrize(
    ("content", "alg", "fault"),
    [
        (EC_KEY, None, None),
        (EC_KEY, "ES256", None),
        (EC_KEY, "ES384", "is a key for ES256, not for ES384"),
        (EC_KEY, "RS256", "is a key for ES256, not for RS256"),
        (b"hello", None, "is neither PEM nor JSON"),
        (b"", None, "empty"),
    ],
)
def test_private_keys(content: bytes, alg: str | None, fault: str | None, tmp_path: Path) -> None:
    """Contract 2.3: the key must be one, and fit signing_alg."""
    path = write(tmp_path / "key.pem", content)
    client = {"id": "a", "auth": "private_key_jwt", "private_key_file": path, "signing_alg": alg}
    expected = [f"{CLIENT}.private_key_file: {fault} (got {path!r})"] if fault else []
    assert faults_of(change((CLIENT, client))) == expected


def test_a_private_key_that_others_may_write_to_is_still_looked_into(tmp_path: Path) -> None:
    """Both faults come at once."""
    path = write(tmp_path / "key.pem", b"hello", 0o666)
    client = {"id": "a", "auth": "private_key_jwt", "private_key_file": path}
    assert faults_of(change((CLIENT, client))) == [
        f"{CLIENT}.private_key_file: others may write to it: chmod go-w (got {path!r})",
        f"{CLIENT}.private_key_file: is neither PEM nor JSON (got {path!r})",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (ENCRYPTION_KEY, None),
        (ENCRYPTION_KEY + b"\n" + base64.urlsafe_b64encode(b"\xff" * 32), None),
        (b"", "empty"),
        (ENCRYPTION_KEY + b"short\n", "line 2 is not 32 bytes in base64: obo-proxy keys new --alg A256GCM makes such a key"),
        (base64.b64encode(bytes(16)), "line 1 is not 32 bytes in base64: obo-proxy keys new --alg A256GCM makes such a key"),
    ],
    ids=["one", "two, in either alphabet", "empty", "not base64", "too short"],
)  # fmt: skip
def test_encryption_keys(content: bytes, fault: str | None, tmp_path: Path) -> None:
    """Each line of the shared cache's key file is a whole key."""
    path = write(tmp_path / "keys", content)
    raw = change(("cache.shared", {"url": "valkey://:s3cr3t@cache:6379/0", "encryption_key_file": path}))
    place = "cache.shared.encryption_key_file"
    assert faults_of(raw) == ([f"{place}: {fault} (got {path!r})"] if fault else [])


_NOT_A_URL = "not an absolute URL with valkey or valkeys or redis or rediss"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("valkey://:s3cr3t@cache:6379/0", None),
        ("rediss://user:s3cr3t@cache/0?ssl_ca_certs=/ca.pem", None),
        ("valkeys+cluster://one:6379", None),
        ("valkey+sentinel://user:s3cr3t@one:26379,two/orders/0", None),
        ("unix:///run/valkey.sock?db=1", None),
        ("unix://:s3cr3t@/run/valkey.sock", None),
        ("http://:s3cr3t@cache", f"{_NOT_A_URL} (got 'http://***@cache')"),
        ("valkey+other://cache", f"{_NOT_A_URL} (got 'valkey+other://cache')"),
        ("valkey://one,two:1", f"{_NOT_A_URL} (got 'valkey://one,two:1')"),
        ("valkey+sentinel://one,two:x/orders", f"{_NOT_A_URL} (got 'valkey://two:x/orders')"),
        ("valkey+sentinel://one,two", "no service behind the sentinels: valkey+sentinel://host,host/service"),
        ("unix://run/valkey.sock", "no path of a socket behind unix://"),
    ],
)
def test_the_shared_cache_has_an_url_of_its_own(url: str, fault: str | None, tmp_path: Path) -> None:
    """Only what the cache speaks; its password is not shown."""
    path = write(tmp_path / "keys", ENCRYPTION_KEY)
    raw = change(("cache.shared", {"url": url, "encryption_key_file": path}))
    assert faults_of(raw) == ([f"cache.shared.url: {fault}"] if fault else [])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"abc.DEF-123~+/==\n", None),
        (b"two words", "holds what cannot be sent as one bearer token"),
        (b"", "empty"),
    ],
)
def test_the_admin_token(content: bytes, fault: str | None, tmp_path: Path) -> None:
    """The admin side's bearer can be sent as one."""
    path = write(tmp_path / "token", content)
    expected = [f"admin.token_file: {fault} (got {path!r})"] if fault else []
    assert faults_of(change(("admin.token_file", path))) == expected


def test_certificates(tmp_path: Path) -> None:
    """A certificate and its own key serve https, and show who we are to an upstream."""
    key = generate_key("ES256")
    pair = {
        "cert_file": write(tmp_path / "cert.pem", make_certificate(key), 0o644),
        "key_file": write(tmp_path / "key.pem", pem(key)),
    }
    tls = {**pair, "ca_file": pair["cert_file"], "server_name": "orders.internal"}
    assert (
        faults_of(
            change(("listen.tls", pair), ("routes.0.upstream", "https://orders"), ("routes.0.tls", tls))
        )
        == []
    )
    other = {**pair, "key_file": write(tmp_path / "other.pem", EC_KEY)}
    (fault,) = faults_of(change(("listen.tls", other)))
    assert fault.startswith("listen.tls.cert_file: ")
    assert fault.endswith("the key is not the certificate's")


def test_an_encrypted_key_is_refused_without_asking(tmp_path: Path) -> None:
    """No password is asked for at a terminal that is not there."""
    key = ec.generate_private_key(ec.SECP256R1())
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    pair = {
        "cert_file": write(tmp_path / "cert.pem", make_certificate(key), 0o644),
        "key_file": write(tmp_path / "key.pem", encrypted),
    }
    (fault,) = faults_of(change(("listen.tls", pair)))
    assert fault.endswith("the private key is encrypted: give it without a passphrase")


def test_both_files_of_a_pair_are_looked_for() -> None:
    """Both faults come at once."""
    assert faults_of(change(("listen.tls", {"cert_file": "/no/cert", "key_file": "/no/key"}))) == [
        "listen.tls.cert_file: cannot be read: No such file or directory (got '/no/cert')",
        "listen.tls.key_file: cannot be read: No such file or directory (got '/no/key')",
    ]


@pytest.mark.parametrize(
    ("tls", "fault"),
    [
        ({"cert_file": "/dev/null"}, "key_file: required beside the other half of the pair"),
        ({"key_file": "/dev/null"}, "cert_file: required beside the other half of the pair"),
        ({"server_name": "a b"}, "server_name: not a host name (got 'a b')"),
        ({"ca_file": "/dev/null"}, "ca_file: holds no certificates in PEM (got '/dev/null')"),
    ],
)
def test_tls_of_an_upstream(tls: dict[str, str], fault: str) -> None:
    """Half a pair, an odd name or an empty file is refused."""
    raw = change(("routes.0.upstream", "https://orders"), ("routes.0.tls", tls))
    assert faults_of(raw) == [f"routes[0].tls.{fault}"]
