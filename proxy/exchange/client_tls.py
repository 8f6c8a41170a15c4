"""``tls_client_auth`` and ``self_signed_tls_client_auth`` (RFC 8705 §2): the certificate of the connection is ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..config.models import Client
from ..errors import ExchangeMisconfigured, ExchangeResponseInvalid
from ..upstream import ClientCertificate, PresentedCertificate, TLSOptions
from .credentials import ClientAuthentication, Credentials, Validity, build_ended, describe_certificate
from .token_exchange import AccessToken

CHECK_RENEWAL = "See that what writes client.cert_file and client.key_file is there and renews them."
CHECK_CERTIFICATE = (
    "Compare the certificate in client.cert_file (its subject, or for self_signed_tls_client_auth the certificate"
    " itself) with what is registered for client.id, and see that token_url is the one for mutual TLS."
)
CHECK_BINDING = (
    "Let the authorization server bind no tokens for this client (tls_client_certificate_bound_access_tokens), or"
    " authenticate by the certificate that they shall be bound to (auth: tls_client_auth)."
)
CHECK_HTTPS = "Set token_url to the authorization server's https URL for mutual TLS."


class TLSClientAuth(ClientAuthentication):
    """``client_id`` in the form, and a certificate for the handshake."""

    remedy = CHECK_CERTIFICATE

    def __init__(self, client_id: str, auth: str, certificate: ClientCertificate) -> None:
        self._client_id = client_id
        self._auth = auth
        self._certificate = certificate

    def authenticate(self, url: str, now: float) -> Credentials:
        if not url.startswith("https:"):
            raise ExchangeMisconfigured(
                f"{self._auth} needs https, and the URL is plain http", remedy=CHECK_HTTPS
            )
        presented = self._certificate.current()
        # Where a chain is checked, an ended one breaks the handshake, which would look like a server that is away.
        if self._auth == "tls_client_auth" and presented.certificate.expires_at <= now:
            raise build_ended(self.validity(), CHECK_RENEWAL)
        form = [("client_id", self._client_id)]
        return Credentials(form=form, source=presented.thumbprint.encode(), certificate=presented)

    def identity(self) -> str:
        return self._client_id

    def validity(self) -> Validity:
        return describe_certificate(self._certificate.current().certificate, self._certificate.files)

    def find_certificate(self, thumbprint: str) -> PresentedCertificate | None:
        return self._certificate.find(thumbprint)


def build_certificate(client: Client, ca_file: Path | None) -> ClientCertificate:
    """Raises OSError or ValueError where the files are unfit."""
    if client.cert_file is None or client.key_file is None:
        raise ValueError(f"{client.auth} needs cert_file and key_file")
    return ClientCertificate(
        TLSOptions(ca_file=ca_file, cert_file=client.cert_file, key_file=client.key_file)
    )


def check_binding(
    access_token: AccessToken, thumbprint: str, authentication: ClientAuthentication | None
) -> AccessToken:
    """The token that is bound to the certificate of ``thumbprint`` (RFC 8705 §3), and ends with it at the latest.

    Raises ExchangeResponseInvalid where the certificate is not ours.
    """
    presented = authentication.find_certificate(thumbprint) if authentication else None
    if presented is None:
        raise ExchangeResponseInvalid(
            "the token is bound to a certificate that is not ours", remedy=CHECK_BINDING
        )
    end = presented.certificate.expires_at
    expires_at = end if access_token.expires_at is None else min(end, access_token.expires_at)
    return replace(access_token, expires_at=expires_at, certificate=presented.thumbprint)
