"""What proves who we are at an authorization server: the port for the ways of RFC 6749 §2.3 and its siblings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..config.secret_file import ParsedFiles
from ..errors import ExchangeMisconfigured
from ..upstream import PresentedCertificate
from .okta_refusals import CHECK_CLIENT
from .token_exchange import Form

if TYPE_CHECKING:
    from ..jose.certificates import Certificate
    from ..jose.private_keys import ClientKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What goes along with one request: an ``Authorization`` field, fields of the form, or a TLS certificate.

    ``source`` is what they were made from: two that are equal would be refused alike. ``signed`` ones hold a
    time of signing, and no secret.
    """

    authorization: str | None = field(default=None, repr=False)
    form: Form = field(default_factory=list, repr=False)
    source: bytes = field(default=b"", repr=False)
    signed: bool = False
    certificate: PresentedCertificate | None = None


@dataclass(frozen=True, slots=True)
class Validity:
    """How long what is in ``file`` vouches for us (epoch s); ``fault`` is why the file as it is now is not used."""

    kind: Literal["assertion", "certificate", "key"]
    file: str
    begins_at: float | None = None
    expires_at: float | None = None
    fault: str | None = None

    def has_ended(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class ClientAuthentication(ABC):
    """Proves who we are. ``remedy`` is what to do where that is refused (``invalid_client``)."""

    remedy = CHECK_CLIENT

    @abstractmethod
    def authenticate(self, url: str, now: float) -> Credentials:
        """Fresh credentials for one request to ``url`` at ``now`` (epoch s, by the server's clock).

        Raises OSError or ValueError where they cannot be read, ExchangeMisconfigured where they are of no use.
        """

    @abstractmethod
    def identity(self) -> str:
        """What tells us from any other client there. Raises OSError or ValueError."""

    def refuse(self, credentials: Credentials) -> None:  # noqa: B027  most have no others
        """The server does not take these: others, where there are any, go first from now on."""

    def validity(self) -> Validity | None:
        """The end of what vouches for us, where it has one. Raises OSError or ValueError."""
        return None

    def signing_keys(self) -> tuple[ClientKey, ...]:
        """The keys of which the server may fetch the public halves. Raises OSError or ValueError."""
        return ()

    def find_certificate(self, thumbprint: str) -> PresentedCertificate | None:
        """The certificate of ours that a token says it is bound to (RFC 8705 §3.1)."""
        return None


class Alternation:
    """Which of two secrets or keys goes first: the file's first, unless it was refused and there is another."""

    def __init__(self) -> None:
        self._refused = b""

    def choose(self, candidates: Sequence[tuple[bytes, T]]) -> tuple[bytes, T]:
        """Of sources and what they are of; at least one."""
        return next((one for one in candidates if one[0] != self._refused), candidates[0])

    def refuse(self, source: bytes) -> None:
        self._refused = source


def build_ended(validity: Validity, remedy: str) -> ExchangeMisconfigured:
    """What to raise where the server would refuse us anyhow: the file, and when it ended."""
    end = validity.expires_at or 0.0
    told = f"the {validity.kind} in {validity.file} ended at {datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%SZ}"
    reason = f"{told} (exp {end:.0f})"
    if validity.fault:
        reason += f"; as it is now it cannot be used: {validity.fault}"
    return ExchangeMisconfigured(reason, remedy=remedy)


def describe_certificate(certificate: Certificate, files: ParsedFiles[Any]) -> Validity:
    return Validity("certificate", files.name, certificate.begins_at, certificate.expires_at, files.fault)
