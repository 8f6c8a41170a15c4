"""A certificate with its private key, put to use only where the two belong together."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NoReturn

# OpenSSL's words; the last is for a key of another kind than the certificate's.
_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


def load_pair(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    """Put the pair into ``context``, which must not be serving yet: a failure leaves half of the pair in it.

    Without ``key_file`` the key stands beside the certificate. Raises OSError, which names the files and quotes
    nothing of them, where they cannot be read or are no such pair.
    """
    try:
        try:
            _load(context, cert_file, key_file)
        except ssl.SSLError:
            # The files are read one after the other, and a mounted volume may be swapped in between.
            _load(context, cert_file, key_file)
    except (OSError, ValueError) as error:
        names = cert_file if key_file is None else f"{cert_file} and {key_file}"
        raise OSError(f"{names}: {_explain(error)}") from None


def _load(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    context.load_cert_chain(cert_file, key_file, password=_refuse_password)


def _refuse_password() -> NoReturn:
    """OpenSSL would otherwise ask at the terminal, and the process would wait."""
    raise ValueError("the private key is encrypted: give it without a passphrase")


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason in _MISMATCHES:
        return "the key is not the certificate's"
    if isinstance(error, ssl.SSLError):
        return "not a certificate and its private key, both in PEM"
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)
