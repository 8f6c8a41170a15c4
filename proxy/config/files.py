"""The files that the configuration names: there, readable, safe and fit for their purpose, before the start.

No fault quotes what a file holds. Cryptography is imported where a key is looked at: not by a supervisor, nor for
a client that has a secret.
"""

from __future__ import annotations

import base64
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..http.bearer import is_b64token
from ..jose.assertions import parse_assertion
from .certificates import load_pair
from .faults import Fault, got
from .models import Client

if TYPE_CHECKING:
    from ..jose.private_keys import PrivateKey

_MOST_BYTES = 1024 * 1024  # the largest bundle of authorities is a quarter of that; a device never ends
_ENCRYPTION_KEY_BYTES = 32  # AES-256
_TO_PLAIN_BASE64 = bytes.maketrans(b"-_", b"+/")
MOST_SECRETS = 2  # of a client side by side: the one in use, and the one before or after it


def check_secret_file(place: str, path: Path) -> Iterator[Fault]:
    """Faults of a file with a secret: it must hold something, and only its owner may write to it."""
    content = _read(place, path)
    if isinstance(content, Fault):
        yield content
        return
    if not content.strip():
        yield Fault(place, f"empty{got(str(path))}")
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Fault(place, f"others may write to it: chmod go-w{got(str(path))}")


def check_client_secret_file(place: str, path: Path) -> Iterator[Fault]:
    """As ``check_secret_file``, and there are no more secrets than are tried, one a line."""
    faults = tuple(check_secret_file(place, path))
    yield from faults
    if not faults and sum(map(bool, path.read_bytes().splitlines())) > MOST_SECRETS:
        yield Fault(
            place, f"more than {MOST_SECRETS} lines: one secret, or the new one and the old{got(str(path))}"
        )


def check_assertion_file(place: str, path: Path) -> Iterator[Fault]:
    """As ``check_secret_file``, and the content is one JWT; its end may have come, for the file will change."""
    faults = tuple(check_secret_file(place, path))
    yield from faults
    if faults:
        return
    try:
        parse_assertion(path.read_bytes().strip())
    except ValueError as error:
        yield Fault(place, f"{error}{got(str(path))}")


def check_bearer_file(place: str, path: Path) -> Iterator[Fault]:
    """As ``check_secret_file``, and the content is one bearer token."""
    faults = tuple(check_secret_file(place, path))
    yield from faults
    if not faults and not is_b64token(path.read_bytes().strip().decode("latin-1")):
        yield Fault(place, f"holds what cannot be sent as one bearer token{got(str(path))}")


def check_encryption_key_file(place: str, path: Path) -> Iterator[Fault]:
    """As ``check_secret_file``, and it holds what ``parse_encryption_keys`` takes."""
    faults = tuple(check_secret_file(place, path))
    yield from faults
    if faults:
        return
    try:
        parse_encryption_keys(path.read_bytes())
    except ValueError as error:
        yield Fault(place, f"{error}: obo-proxy keys new --alg A256GCM makes such a key{got(str(path))}")


def parse_encryption_keys(content: bytes) -> tuple[bytes, ...]:
    """The keys of a key file, one of 32 bytes in base64 (RFC 4648 §4 or §5) a line; blank lines do not count.

    Raises ValueError, which shows nothing of them.
    """
    lines = [(number, line.strip()) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError("no key in it")
    return tuple(_parse_encryption_key(number, line) for number, line in lines)


def check_private_key(place: str, client: Client) -> Iterator[Fault]:
    """Faults of the client's private key: as ``check_secret_file``, and it signs as ``signing_alg`` says."""
    path = client.private_key_file
    if path is None:
        return
    faults = tuple(check_secret_file(place, path))
    yield from faults
    if any("others may write" not in fault.message for fault in faults):
        return
    from ..jose.private_keys import load_keys  # noqa: PLC0415 see above

    try:
        load_keys(path.read_bytes(), alg=client.signing_alg, key_id=client.key_id)
    except ValueError as error:
        yield Fault(place, f"{error}{got(str(path))}")


def check_signing_certificate(place: str, client: Client) -> Iterator[Fault]:
    """Faults of the certificate that tells the client's key to the server: it must be of that key."""
    if client.certificate_file is None:
        return
    from ..jose.certificates import find_certificate, load_certificates  # noqa: PLC0415 see above

    content = _read(place, client.certificate_file)
    if isinstance(content, Fault):
        yield content
        return
    try:
        certificates = load_certificates(content)
    except ValueError as error:
        yield Fault(place, f"{error}{got(str(client.certificate_file))}")
        return
    key = _load_key(client)
    if key is not None and find_certificate(certificates, key) is None:
        yield Fault(
            place, f"holds no certificate of the key in private_key_file{got(str(client.certificate_file))}"
        )


def _load_key(client: Client) -> PrivateKey | None:
    """The key that signs; None where it has a fault of its own, which is told at its place."""
    from ..jose.private_keys import load_keys  # noqa: PLC0415 see above

    try:
        return load_keys(client.private_key_file.read_bytes())[0].key if client.private_key_file else None
    except (OSError, ValueError):
        return None


def check_ca_file(place: str, path: Path | None) -> Iterator[Fault]:
    """Faults of a file with the certificates of authorities."""
    if path is None:
        return
    content = _read(place, path)
    if isinstance(content, Fault):
        yield content
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        yield Fault(place, f"holds no certificates in PEM{got(str(path))}")


def check_certificate(place: str, cert_file: Path, key_file: Path) -> Iterator[Fault]:
    """Faults of a certificate and its private key, which must belong together."""
    content = _read(f"{place}.cert_file", cert_file)
    faults = [content] if isinstance(content, Fault) else []
    faults += check_secret_file(f"{place}.key_file", key_file)
    yield from faults
    if faults:
        return
    try:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert_file, key_file)
    except OSError as error:
        yield Fault(f"{place}.cert_file", str(error))


def _read(place: str, path: Path) -> bytes | Fault:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        return Fault(place, f"cannot be read: {reason}{got(str(path))}")
    return content if len(content) <= _MOST_BYTES else Fault(place, f"larger than 1 MiB{got(str(path))}")


def _parse_encryption_key(number: int, line: bytes) -> bytes:
    try:
        key = base64.b64decode(line.translate(_TO_PLAIN_BASE64), validate=True)
    except ValueError:
        key = b""
    if len(key) != _ENCRYPTION_KEY_BYTES:
        raise ValueError(f"line {number} is not {_ENCRYPTION_KEY_BYTES} bytes in base64")
    return key
