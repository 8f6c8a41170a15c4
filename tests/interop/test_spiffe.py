"""SVIDs as SPIFFE's own library reads and writes them are what we read, with the same identity and end."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from spiffe.svid.jwt_svid import JwtSvid
from spiffe.svid.x509_svid import X509Svid

from proxy.config.models import Client
from proxy.demo import Demo
from proxy.demo.workloads import SPIFFE_ID
from proxy.exchange.client_auth import build_client_authentication
from proxy.jose.assertions import parse_assertion
from proxy.upstream import ClientCertificate, TLSOptions
from tests.support.certificates import Authority

ID = "spiffe://example.org/ns/orders/sa/proxy"
AUDIENCE = "https://as.example"
URL = f"{AUDIENCE}/token"


def test_a_jwt_svid(tmp_path: Path) -> None:
    """What we send is a JWT-SVID for that library, for the same SPIFFE ID and until the same time."""
    key = ec.generate_private_key(ec.SECP256R1())
    claims = {"sub": ID, "aud": [AUDIENCE], "exp": int(time.time()) + 300}
    file = tmp_path / "jwt-svid"
    file.write_text(jwt.encode(claims, key, "ES256", {"kid": "authority"}) + "\n")
    client = Client(auth="assertion_file", assertion_file=file, assertion_type="jwt-spiffe")
    form = dict(build_client_authentication(client).authenticate(URL, time.time()).form)
    svid = JwtSvid.parse_insecure(form["client_assertion"], {AUDIENCE})
    ours = parse_assertion(form["client_assertion"].encode())
    assert (str(svid.spiffe_id), svid.expiry) == (ours.subject, ours.expires_at)
    assert set(form) == {"client_assertion_type", "client_assertion"}


def test_the_demos_jwt_svid(demo: Demo) -> None:
    """The demo's trust domain issues what that library takes."""
    svid = JwtSvid.parse_insecure(demo.tenant.workloads.vouch(SPIFFE_ID, demo.org_url), {demo.org_url})
    assert str(svid.spiffe_id) == SPIFFE_ID


@pytest.mark.parametrize("with_authority", [False, True], ids=["leaf", "chain"])
def test_an_x509_svid(tmp_path: Path, with_authority: bool) -> None:
    """Files that the library has written, as a helper does, are shown as they are; it reads the same from ours."""
    authority = Authority(tmp_path)
    issued = authority.issue(ID)
    chain = issued.cert_file.read_bytes() + (authority.ca_file.read_bytes() if with_authority else b"")
    svid = X509Svid.parse(chain, issued.key_file.read_bytes())
    cert_file, key_file = tmp_path / "svid.pem", tmp_path / "svid_key.pem"
    svid.save(str(cert_file), str(key_file), Encoding.PEM)
    tls = TLSOptions(ca_file=authority.ca_file, cert_file=cert_file, key_file=key_file)
    shown = ClientCertificate(tls).current().certificate
    assert str(svid.spiffe_id) == ID
    assert shown.der == svid.leaf.public_bytes(Encoding.DER)
    assert shown.expires_at == svid.leaf.not_valid_after_utc.timestamp()
    read_again = X509Svid.load(str(cert_file), str(key_file), Encoding.PEM)
    assert read_again.leaf == svid.leaf
