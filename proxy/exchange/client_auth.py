"""How we authenticate at an authorization server, by the settings of our client there.

Credentials are read at every use, so that a file swapped by a rotation counts from the next request on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..config.models import Client
from .client_secrets import ClientSecret, build_reader
from .client_tls import TLSClientAuth, build_certificate
from .credentials import ClientAuthentication

if TYPE_CHECKING:
    from .client_assertions import AssertionFile, PrivateKeyJWT


def build_client_authentication(client: Client, *, ca_file: Path | None = None) -> ClientAuthentication:
    """What ``client`` says; whatever it lacks is noticed here, with a ValueError.

    ``ca_file`` is what the server's own certificate is checked by. Raises OSError or ValueError for a certificate
    that cannot be used.
    """
    if client.auth == "assertion_file":
        if client.assertion_file is None:
            raise ValueError("assertion_file needs the file")
        return _build_assertion_file(client, client.assertion_file)
    if client.id is None:
        raise ValueError(f"{client.auth} needs id")
    if client.shows_certificate:
        return TLSClientAuth(client.id, client.auth, build_certificate(client, ca_file))
    if client.auth == "private_key_jwt":
        return _build_private_key_jwt(client, client.id)
    return ClientSecret(client.id, build_reader(client), in_form=client.auth == "client_secret_post")


# What signs has its libraries, 3 MiB, which who has a secret does without.


def _build_assertion_file(client: Client, path: Path) -> AssertionFile:
    from .client_assertions import AssertionFile  # noqa: PLC0415 see above

    return AssertionFile(client, path)


def _build_private_key_jwt(client: Client, client_id: str) -> PrivateKeyJWT:
    from .client_assertions import PrivateKeyJWT, build_signing_files  # noqa: PLC0415 see above

    return PrivateKeyJWT(client_id, build_signing_files(client))
