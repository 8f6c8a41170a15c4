"""What a sound configuration is told of."""

from __future__ import annotations

import base64
from pathlib import Path

import jwt
import pytest

from proxy.config.cautions import find_cautions
from proxy.config.load import parse_settings
from tests.support.certificates import Authority

from .samples import CLIENT, change

ASSERTION = jwt.encode({"iss": "a", "sub": "b", "exp": 1}, "0" * 64).encode()


def write(path: Path, content: bytes, mode: int) -> str:
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("mode", "said"), [(0o600, False), (0o400, False), (0o440, False), (0o444, True), (0o604, True)], ids=oct
)
def test_secrets_that_everybody_may_read(mode: int, said: bool, tmp_path: Path) -> None:
    """All of them, each by its place; a group's right is what Kubernetes' fsGroup works by."""
    issued = Authority(tmp_path).issue()
    issued.key_file.chmod(mode)
    tls = {"cert_file": str(issued.cert_file), "key_file": str(issued.key_file)}
    client = {
        "id": "a",
        "auth": "private_key_jwt",
        "private_key_file": write(tmp_path / "key", issued.key_file.read_bytes(), mode),
        "certificate_file": str(issued.cert_file),
    }
    shared = {
        "url": "valkey://x",
        "encryption_key_file": write(tmp_path / "encryption", base64.b64encode(bytes(32)), mode),
    }
    raw = change(
        ("admin.token_file", write(tmp_path / "admin", b"a", mode)),
        ("listen.tls", tls),
        ("cache.shared", shared),
        (CLIENT, client),
        (
            "authorization_servers.other",
            {
                "issuer": "https://other",
                "client": {"id": "a", "secret_file": write(tmp_path / "secret", b"a", mode)},
            },
        ),
        (
            "authorization_servers.third",
            {"issuer": "https://third", "client": {"id": "a", "auth": "tls_client_auth", **tls}},
        ),
        (
            "authorization_servers.fourth",
            {
                "issuer": "https://fourth",
                "client": {
                    "auth": "assertion_file",
                    "assertion_file": write(tmp_path / "assertion", ASSERTION, mode),
                },
            },
        ),
        ("routes.0.authorization_server", "okta"),
        ("routes.0.subject_token_file", write(tmp_path / "token", b"a", mode)),
        ("routes.0.upstream", "https://orders"),
        ("routes.0.tls", tls),
    )
    cautions = list(find_cautions(parse_settings(raw)))
    assert {caution.place for caution in cautions} == (
        {
            "admin.token_file",
            "listen.tls.key_file",
            "cache.shared.encryption_key_file",
            f"{CLIENT}.private_key_file",
            "authorization_servers.other.client.secret_file",
            "authorization_servers.third.client.key_file",
            "authorization_servers.fourth.client.assertion_file",
            "routes[0].subject_token_file",
            "routes[0].tls.key_file",
        }
        if said
        else set()
    )
    assert all("chmod o-r (got '/" in caution.message for caution in cautions)


def test_a_file_that_is_gone_is_no_caution(tmp_path: Path) -> None:
    """It was there when the settings were checked; whoever reads it next says so."""
    path = write(tmp_path / "admin", b"a", 0o444)
    settings = parse_settings(change(("admin.token_file", path)))
    Path(path).unlink()
    assert list(find_cautions(settings)) == []


@pytest.mark.parametrize(
    ("path", "listen", "route", "places"),
    [
        ("/orders.v1.Orders", True, False, ["routes[0].http2"]),
        ("/orders.v1.Orders/Get", True, False, ["routes[0].http2"]),
        ("/orders.v1.Orders", False, True, ["listen.http2"]),
        ("/orders.v1.Orders", False, False, ["routes[0].http2", "listen.http2"]),
        ("/orders.v1.Orders", True, True, []),
        ("/orders", True, False, []),
        ("/orders.json", True, False, []),
        ("/v1.2/Orders", True, False, []),
        ("/Orders", False, False, []),
    ],
)
def test_grpc_without_http2(path: str, *, listen: bool, route: bool, places: list[str]) -> None:
    """Nothing but its path says that a route is for gRPC; nothing of it would work."""
    raw = change(("listen.http2", listen), ("routes.0.path", path), ("routes.0.http2", route))
    found = list(find_cautions(parse_settings(raw)))
    assert [caution.place for caution in found] == places
    assert all("http2: true" in caution.message for caution in found)
