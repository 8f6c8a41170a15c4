"""Our assertions with a certificate beside those that Microsoft's own library makes for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import msal
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from proxy.config.models import Client
from proxy.exchange.client_auth import build_client_authentication
from proxy.jose.private_keys import pem
from tests.support.certificates import Authority

TENANT = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555"
TOKEN_URL = f"{TENANT}/oauth2/v2.0/token"
CLIENT_ID = "66666666-7777-8888-9999-000000000000"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Wire:
    """Answers as Entra ID would, as far as the library needs it, and keeps what it was sent."""

    def __init__(self) -> None:
        self.form: dict[str, str] = {}

    def get(self, url: str, **_: Any) -> Any:
        metadata = {"issuer": f"{TENANT}/v2.0", "token_endpoint": TOKEN_URL}
        return Answer(metadata | {"authorization_endpoint": f"{TENANT}/oauth2/v2.0/authorize"})

    def post(self, url: str, data: Any = None, **_: Any) -> Any:
        assert url == TOKEN_URL
        self.form = (
            data if isinstance(data, dict) else {key: value[0] for key, value in parse_qs(data).items()}
        )
        return Answer({"access_token": "a", "token_type": "Bearer", "expires_in": 60})

    def close(self) -> None:
        pass


class Answer:
    def __init__(self, document: Any) -> None:
        self.status_code = 200
        self.headers: dict[str, str] = {}
        self.text = json.dumps(document)

    def raise_for_status(self) -> None:
        pass


def make_theirs(key: bytes, certificate: str) -> dict[str, str]:
    """The form's fields by which the library authenticates."""
    wire = Wire()
    application = msal.ConfidentialClientApplication(
        CLIENT_ID,
        authority=TENANT,
        client_credential={"private_key": key.decode(), "public_certificate": certificate},
        http_client=wire,
        instance_discovery=False,
    )
    application.acquire_token_for_client(["api://orders/.default"])
    return {name: value for name, value in wire.form.items() if name.startswith("client_")}


def make_ours(folder: Path, **more: Any) -> dict[str, str]:
    client = Client(
        id=CLIENT_ID,
        auth="private_key_jwt",
        private_key_file=folder / "key.pem",
        certificate_file=folder / "certificate.pem",
        send_chain=True,
        **more,
    )
    return dict(build_client_authentication(client).authenticate(TOKEN_URL, 1_800_000_000.0).form)


def normalise(header: dict[str, Any]) -> dict[str, Any]:
    """The library pads the thumbprint and breaks the certificate into lines, which RFC 7515 §2 and §4.1.6 do not."""
    return header | {
        "x5t#S256": header["x5t#S256"].rstrip("="),
        "x5c": ["".join(one.split()) for one in header["x5c"]],
    }


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    issued = Authority(tmp_path).issue("obo-proxy", key=KEY)
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    (tmp_path / "certificate.pem").write_bytes(issued.cert_file.read_bytes())
    return issued.cert_file.read_text()


def test_the_same_field_by_field(tmp_path: Path, certificate: str) -> None:
    """Header, claims and form are those of msal, but for what is each time another: jti and the times."""
    theirs, ours = make_theirs(pem(KEY), certificate), make_ours(tmp_path)
    headers = [jwt.get_unverified_header(one["client_assertion"]) for one in (theirs, ours)]
    assert normalise(headers[0]) == headers[1]
    assert headers[1]["alg"] == "PS256"
    claims = [
        jwt.decode(one["client_assertion"], options={"verify_signature": False}) for one in (theirs, ours)
    ]
    assert claims[0].keys() == claims[1].keys()
    passing = {"jti", "iat", "exp"}
    for name in claims[0].keys() - passing:
        assert claims[0][name] == claims[1][name], name
    assert theirs["client_assertion_type"] == ours["client_assertion_type"]
    assert theirs["client_id"] == ours["client_id"] == CLIENT_ID


def test_either_is_verified_by_the_certificate(tmp_path: Path, certificate: str) -> None:
    """RFC 7518 §3.5: the salt is as long as the digest, as every verifier expects."""
    for form in (make_theirs(pem(KEY), certificate), make_ours(tmp_path)):
        options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(
            form["client_assertion"], KEY.public_key(), ["PS256"], audience=TOKEN_URL, options=options
        )
        assert claims["sub"] == CLIENT_ID
