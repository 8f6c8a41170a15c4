"""The bounds of both transports: how long a connection may take, and what an answer may be."""

from __future__ import annotations

import re

from ...errors import AuthorizationServerUnavailable, ExchangeMisconfigured, ExchangeResponseInvalid
from ..client_tls import CHECK_CERTIFICATE

MAX_ANSWER = 1024 * 1024  # bytes
MAX_CONNECT = 2.0  # s: where a packet is lost, a second try within the budget beats a longer wait
RETRY_AFTER = 2.0  # s, told to callers
# RFC 8446 §6.2, as OpenSSL spells the alerts by which a server refuses the certificate that it was shown.
_REFUSED_CERTIFICATE = re.compile(
    r"ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|ACCESS_DENIED)"
)


def unreachable(why: object) -> AuthorizationServerUnavailable:
    """What to raise where there is no answer."""
    return AuthorizationServerUnavailable(
        f"the authorization server cannot be reached: {why}", retry_after=RETRY_AFTER
    )


def check_alert(error: Exception) -> None:
    """ExchangeMisconfigured where the server ended the connection because of the certificate that we showed."""
    found = _REFUSED_CERTIFICATE.search(str(error))
    if found is not None:
        raise ExchangeMisconfigured(
            f"the authorization server refuses our certificate: TLS {found[0].lower()}",
            remedy=CHECK_CERTIFICATE,
            remember_for=10.0,
            remember_by="route",
        ) from None


def check_encoding(content_encoding: str) -> None:
    """ExchangeResponseInvalid for an encoded answer, which may be of any size once it is decoded."""
    if content_encoding.lower() != "identity":
        raise ExchangeResponseInvalid("the answer is encoded though that was declined")


def check_size(size: int) -> None:
    """ExchangeResponseInvalid for an answer of too many bytes."""
    if size > MAX_ANSWER:
        raise ExchangeResponseInvalid(f"the answer is larger than {MAX_ANSWER} bytes")
