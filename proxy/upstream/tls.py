"""TLS where we are the client: whom we trust, and the certificate that we show (RFC 8446 §4.4.2)."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..config.certificates import load_pair
from ..config.secret_file import ParsedFiles
from .options import TLSOptions

if TYPE_CHECKING:
    from ..jose.certificates import Certificate

_Seen = tuple[str, int, int, int, int, int]
_Authorities = tuple[_Seen, ...]  # files and folders, and how they are recognised
# By what is offered and by authorities, as long as anybody uses one. To read the system's takes 27 ms and 0.9 MB, for a
# thousand routes as for one, and a reload that finds the same files has nothing to read.
_shared: WeakValueDictionary[tuple[str, _Authorities], ssl.SSLContext] = WeakValueDictionary()
MOST_REMEMBERED = 4  # certificates: what is bound to one goes on being used for a while after its rotation


@dataclass(frozen=True, slots=True, eq=False)
class PresentedCertificate:
    """A certificate with its private key and chain, ready for handshakes; for those of HTTP/2 where that is spoken."""

    context: ssl.SSLContext = field(repr=False)
    certificate: Certificate
    http2_context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def thumbprint(self) -> str:
        return self.certificate.thumbprint


class ClientCertificate:
    """The certificate and the private key in two files, put to use together once both have changed.

    The authorities of the other side are read with them. Raises OSError or ValueError where the files are unfit.
    """

    def __init__(self, tls: TLSOptions) -> None:
        paths = [path for path in (tls.cert_file, tls.key_file, tls.ca_file) if path is not None]
        self.files = ParsedFiles(self._parse, *paths)
        self._tls = tls
        self._known: deque[PresentedCertificate] = deque(maxlen=MOST_REMEMBERED)
        self.current()

    def current(self) -> PresentedCertificate:
        """What new connections show."""
        presented = self.files.read()
        if not self._known or self._known[-1] is not presented:
            self._known.append(presented)
        return presented

    def find(self, thumbprint: str) -> PresentedCertificate | None:
        """The certificate of that ``x5t#S256``, if we show it or did so a few rotations ago."""
        self.current()
        return next((known for known in self._known if known.thumbprint == thumbprint), None)

    def _parse(self, certificate: bytes, *_others: bytes) -> PresentedCertificate:
        from ..jose.certificates import load_certificates  # noqa: PLC0415 - who shows none does without X.509

        return PresentedCertificate(
            build_context(self._tls),
            load_certificates(certificate)[0],
            build_context(self._tls, "h2") if self._tls.http2 else None,
        )


def build_context(tls: TLSOptions, protocol: str = "http/1.1") -> ssl.SSLContext:
    """Chain and host name are checked always; ``ca_file`` takes the place of the system's authorities.

    ``protocol`` is the one that is offered (RFC 7301). Where no certificate is shown it is one context for all who
    trust and offer the same: not to be changed. Raises OSError for files that cannot be used.
    """
    if tls.cert_file is not None:
        context = _build_context(tls, protocol)
        load_pair(context, tls.cert_file, tls.key_file)
        return context
    key = protocol, _look_at(tls.ca_file)
    shared = _shared.get(key)
    if shared is None:
        shared = _shared[key] = _build_context(tls, protocol)
    return shared


def is_cut(transport: asyncio.BaseTransport) -> bool:
    """Whether TLS has ended without close_notify: anybody on the way may have cut it (RFC 8446 §6.1, RFC 9112 §9.8).

    To be asked once all has been read and the peer has ended: uvloop has told by then, asyncio's own loop never does.
    """
    tls = transport.get_extra_info("ssl_object")
    try:
        return tls is not None and bool(tls.read(1))
    except ssl.SSLZeroReturnError:
        return False
    except ssl.SSLError:  # it waits for more
        return True


def _look_at(ca_file: Path | None) -> _Authorities:
    if ca_file is not None:
        return (_recognise(ca_file),)
    defaults = ssl.get_default_verify_paths()
    return tuple(_recognise(Path(path)) for path in filter(None, (defaults.cafile, defaults.capath)))


def _recognise(path: Path) -> _Seen:
    """By its time of change, too: whoever copies a file may set all else as it was."""
    seen = path.stat()
    return str(path), seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _build_context(tls: TLSOptions, protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    return context
