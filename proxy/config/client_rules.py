"""What must hold for who we are at an authorization server: each way to prove it has keys of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .faults import Fault
from .files import (
    check_assertion_file,
    check_certificate,
    check_client_secret_file,
    check_private_key,
    check_signing_certificate,
)
from .models import Client, ClientAuth

# The keys that a way has a use for, those that it cannot do without first.
_SECRET = ("secret", "secret_file")
_CERTIFICATE = ("cert_file", "key_file")
_KEYS: Mapping[ClientAuth, tuple[str, ...]] = {
    "client_secret_basic": _SECRET,
    "client_secret_post": _SECRET,
    "private_key_jwt": ("private_key_file", "key_id", "signing_alg", "certificate_file", "send_chain"),
    "assertion_file": ("assertion_file", "assertion_type"),
    "tls_client_auth": _CERTIFICATE,
    "self_signed_tls_client_auth": _CERTIFICATE,
}
_REQUIRED: Mapping[ClientAuth, tuple[str, ...]] = {
    "private_key_jwt": ("private_key_file",),
    "assertion_file": ("assertion_file",),
    "tls_client_auth": _CERTIFICATE,
    "self_signed_tls_client_auth": _CERTIFICATE,
}


def find_client_faults(place: str, client: Client) -> Iterator[Fault]:
    """Every fault of ``client`` in itself and in its files."""
    if client.id is None and client.auth != "assertion_file":
        yield Fault(f"{place}.id", "required")
    for key in _REQUIRED.get(client.auth, ()):
        if getattr(client, key) is None:
            yield Fault(f"{place}.{key}", f"required with auth: {client.auth}")
    yield from _find_unused_keys(place, client)
    if client.auth in ("client_secret_basic", "client_secret_post"):
        yield from _find_secret_faults(place, client)
    if client.send_chain and client.certificate_file is None:
        yield Fault(f"{place}.send_chain", "needs certificate_file, which holds the chain")
    yield from _find_file_faults(place, client)


def _find_unused_keys(place: str, client: Client) -> Iterator[Fault]:
    for key in sorted({key for keys in _KEYS.values() for key in keys}):
        if key in _KEYS[client.auth] or not client.is_given(key):
            continue
        users = [auth for auth, keys in _KEYS.items() if key in keys]
        hint = f"but with {users[0]}" if len(users) == 1 else "so leave it out"
        yield Fault(f"{place}.{key}", f"not used with auth: {client.auth}, {hint}")


def _find_secret_faults(place: str, client: Client) -> Iterator[Fault]:
    if client.secret is None and client.secret_file is None:
        yield Fault(f"{place}.secret", f"required, or secret_file, with auth: {client.auth}")
    elif client.secret is not None and client.secret_file is not None:
        yield Fault(f"{place}.secret", "given beside secret_file: leave one out")
    if client.secret is not None and not client.secret.get_secret_value().strip():
        yield Fault(f"{place}.secret", "empty")


def _find_file_faults(place: str, client: Client) -> Iterator[Fault]:
    if client.secret_file:
        yield from check_client_secret_file(f"{place}.secret_file", client.secret_file)
    yield from check_private_key(f"{place}.private_key_file", client)
    yield from check_signing_certificate(f"{place}.certificate_file", client)
    if client.assertion_file:
        yield from check_assertion_file(f"{place}.assertion_file", client.assertion_file)
    if client.cert_file and client.key_file:
        yield from check_certificate(place, client.cert_file, client.key_file)
