"""A certificate and its key are used where they belong together, or not at all."""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.config.certificates import load_pair
from proxy.jose.private_keys import generate_key, pem
from tests.support.certificates import Authority, Issued

NO_PAIR = "not a certificate and its private key, both in PEM"


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    return Authority(tmp_path).issue()


def load(issued: Issued) -> None:
    load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), issued.cert_file, issued.key_file)


def encrypt(key: bytes, password: bytes) -> bytes:
    private_key = load_pem_private_key(key, None)
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))


def test_a_pair(issued: Issued) -> None:
    """What belongs together is loaded."""
    load(issued)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (pem(generate_key("ES256")), "the key is not the certificate's"),
        (pem(generate_key("RS256")), "the key is not the certificate's"),
        (b"nonsense", NO_PAIR),
        (b"", NO_PAIR),
    ],
    ids=["another key", "another kind of key", "nonsense", "nothing"],
)
def test_keys_that_do_not_belong(key: bytes, reason: str, issued: Issued) -> None:
    """Half a rotation, or another file altogether: which files, and why."""
    issued.key_file.write_bytes(key)
    with pytest.raises(OSError, match=r"^.* and .*: .*$") as caught:
        load(issued)
    assert str(caught.value) == f"{issued.cert_file} and {issued.key_file}: {reason}"


def test_a_certificate_that_is_none(issued: Issued) -> None:
    """Nor is one missing taken for a fault of the program."""
    issued.cert_file.write_bytes(b"nonsense")
    with pytest.raises(OSError, match=rf"{NO_PAIR}$"):
        load(issued)
    issued.cert_file.unlink()
    with pytest.raises(OSError, match=r"No such file or directory$"):
        load(issued)


def test_nobody_is_asked_for_a_passphrase(issued: Issued) -> None:
    """An encrypted key is refused, also one whose passphrase is almost none."""
    issued.key_file.write_bytes(encrypt(issued.key_file.read_bytes(), b"x"))
    with pytest.raises(OSError, match=r"the private key is encrypted: give it without a passphrase$"):
        load(issued)


def test_a_volume_swapped_between_the_two_files(tmp_path: Path) -> None:
    """Kubernetes swaps a link to the folder of both: the old certificate and the new key are read again, together."""
    authority = Authority(tmp_path)
    for generation in ("old", "new"):
        issued = authority.issue()
        (tmp_path / generation).mkdir()
        issued.cert_file.rename(tmp_path / generation / "tls.crt")
        issued.key_file.rename(tmp_path / generation / "tls.key")
    data, spare = tmp_path / "data", tmp_path / "spare"
    data.symlink_to("old")
    spare.symlink_to("new")
    slow = tmp_path / "old" / "tls.crt"
    certificate = slow.read_bytes()
    slow.unlink()
    os.mkfifo(slow)  # its reader waits for whoever writes

    def swap() -> None:
        with slow.open("wb") as pipe:
            spare.replace(data)
            pipe.write(certificate)

    swapping = threading.Thread(target=swap)
    swapping.start()
    load(Issued(data / "tls.crt", data / "tls.key"))
    swapping.join()
