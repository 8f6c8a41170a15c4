"""The proxy's clients in the demo, one for each way to prove who it is, with what each has in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .certificates import Authority, Pair
from .org import TLS_NAME
from .signing import build_public_jwk, encode_base64url
from .tenant import Tenant
from .workloads import SERVICE_ACCOUNT, SPIFFE_ID

Way = Literal[
    "private_key_jwt",
    "certificate",
    "assertion_file",
    "jwt-spiffe",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]


class ClientFiles:
    """Keys, certificates and assertions in ``folder``, registered at the tenant."""

    def __init__(self, folder: Path, authority: Authority, key: ec.EllipticCurvePrivateKey) -> None:
        self.private_key_file = folder / "client.pem"
        self.private_key_id = str(build_public_jwk(key)["kid"])
        self.assertion_files: dict[str, Path] = {
            "assertion_file": folder / "service-account-token",
            "jwt-spiffe": folder / "jwt-svid",
        }
        self.pairs: dict[str, Pair] = {
            "tls_client_auth": authority.issue(TLS_NAME),
            "self_signed_tls_client_auth": authority.sign_itself("obo-proxy itself"),
        }
        self.signing_certificate = authority.issue("obo-proxy signs", key=key)
        self.private_key_file.touch(mode=0o600)
        self.private_key_file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def register(self, tenant: Tenant) -> None:
        """What an administrator would do: certificates are uploaded, and found by their thumbprints."""
        self_signed = self.pairs["self_signed_tls_client_auth"]
        tenant.clients["obo-proxy-self-signed"].certificate = self_signed.thumbprint
        for jwk in tenant.clients["obo-proxy-key"].jwks:
            jwk["x5t#S256"] = encode_base64url(bytes.fromhex(self.signing_certificate.thumbprint))

    def build_client(self, tenant: Tenant, way: Way) -> dict[str, Any]:
        """The raw configuration of that client."""
        if way == "private_key_jwt":
            return {
                "id": tenant.clients["obo-proxy-key"].id,
                "auth": way,
                "private_key_file": str(self.private_key_file),
                "key_id": self.private_key_id,
            }
        if way == "certificate":
            return {
                "id": tenant.clients["obo-proxy-key"].id,
                "auth": "private_key_jwt",
                "private_key_file": str(self.private_key_file),
                "certificate_file": str(self.signing_certificate.cert_file),
            }
        if way in self.assertion_files:
            self._write_assertion(tenant, way)
            client = {"auth": "assertion_file", "assertion_file": str(self.assertion_files[way])}
            return client | ({"assertion_type": way} if way == "jwt-spiffe" else {})
        name = "obo-proxy-tls" if way == "tls_client_auth" else "obo-proxy-self-signed"
        pair = self.pairs[way]
        return {
            "id": tenant.clients[name].id,
            "auth": way,
            "cert_file": str(pair.cert_file),
            "key_file": str(pair.key_file),
        }

    def _write_assertion(self, tenant: Tenant, way: str) -> None:
        """What the kubelet and a SPIFFE helper do."""
        file = self.assertion_files[way]
        file.touch(mode=0o600)
        subject = SPIFFE_ID if way == "jwt-spiffe" else SERVICE_ACCOUNT
        file.write_text(tenant.workloads.vouch(subject, tenant.url))
