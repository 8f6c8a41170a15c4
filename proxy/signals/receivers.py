"""The public paths: security events that are pushed (RFC 8935), and Global Token Revocation.

A receiver reads the whole body, which is small, before anything is decided. Who sends slowly or in large numbers is
told to come again, and holds up nobody who calls an API.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, NamedTuple

from ..authentication.event_types import OTHER
from ..authentication.global_revocation import parse_credential, parse_revocation
from ..authentication.security_event import (
    SecurityEvent,
    parse_security_event,
    verify_security_event,
)
from ..authentication.signal_token import SignalRefused, UnverifiedSignal, verify_signal_token
from ..downstream.request import Downstream
from ..errors import BadRequest, RequestTooLarge, SubjectTokenError
from ..http.bearer import find_authorization
from .reception import Reception, Unavailable, UserUnknown
from .record import GLOBAL_REVOCATION

MAX_BODY: Final = 64 * 1024  # bytes; the longest token is a quarter of it
BODY_TIMEOUT: Final = 5.0  # s for all of it
MOST_AT_ONCE: Final = 128  # requests: 8 MiB of bodies
_RETRY_AFTER: Final = (b"retry-after", b"1")


class Reply(NamedTuple):
    """An answer; ``body`` is JSON, or empty."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


class Receiver(ABC):
    """One path."""

    media_type: ClassVar[str]

    def __init__(self, path: str, reception: Reception) -> None:
        self.path = path.encode("ascii")
        self.reception = reception

    @abstractmethod
    async def answer(self, downstream: Downstream, body: bytes, address: str) -> Reply:
        """Do as ``body`` says. Raises SignalRefused, Unavailable."""

    @abstractmethod
    def refuse(self, error: SignalRefused) -> Reply:
        """Why it is not done."""


class EventReceiver(Receiver):
    """Shared Signals by push: 202, or 400 with ``err`` and ``description`` (RFC 8935 §2.2, §2.3)."""

    media_type = "application/secevent+jwt"

    def __init__(self, path: str, reception: Reception, audience: str) -> None:
        super().__init__(path, reception)
        self._audience = audience

    async def answer(self, downstream: Downstream, body: bytes, address: str) -> Reply:
        reception = self.reception
        token = parse_security_event(
            body.decode("ascii", "replace").strip(),
            issuer=reception.org.issuer,
            audience=self._audience,
            now=reception.clock.time(),
        )
        events = await reception.verify(token, address, verify_security_event)
        ending = [event for event in events if event.subjects]
        if ending:
            await self._end_access(token, ending)
        else:
            signal = next((event.kind for event in events if event.kind != OTHER), OTHER)
            await reception.acknowledge(signal, token)
        return Reply(202)

    async def _end_access(self, token: UnverifiedSignal, events: list[SecurityEvent]) -> None:
        """Several in one token are about one thing (RFC 8417 §2), so also about one user."""
        latest = max(events, key=lambda event: event.happened_at)
        subjects = [subject for event in events for subject in event.subjects]
        await self.reception.end_access(latest.kind, token, subjects, latest.happened_at)

    def refuse(self, error: SignalRefused) -> Reply:
        body = json.dumps({"err": error.err, "description": str(error)}).encode()
        return Reply(400, ((b"content-type", b"application/json"), (b"content-language", b"en")), body)


class RevocationReceiver(Receiver):
    """Global Token Revocation: 204, or a status that says why not, which is all that Okta looks at."""

    media_type = "application/json"

    def __init__(self, path: str, reception: Reception, url: str) -> None:
        super().__init__(path, reception)
        self._url = url

    async def answer(self, downstream: Downstream, body: bytes, address: str) -> Reply:
        reception = self.reception
        try:
            token = parse_credential(
                _read_bearer(downstream),
                issuer=reception.org.issuer,
                audience=self._url,
                now=reception.clock.time(),
            )
            await reception.verify(token, address, verify_signal_token)
        except SignalRefused as error:
            raise _Unauthenticated(error.err, str(error)) from None
        subjects = parse_revocation(body)
        happened_at = float(token.claims.get("iat", reception.clock.time()))
        try:
            await reception.end_access(GLOBAL_REVOCATION, token, subjects, happened_at)
        except Unavailable:
            return Reply(422)
        return Reply(204)

    def refuse(self, error: SignalRefused) -> Reply:
        if isinstance(error, _Unauthenticated):
            return Reply(401, ((b"www-authenticate", b'Bearer error="invalid_token"'),))
        if isinstance(error, UserUnknown):
            return Reply(403 if error.foreign else 404)
        return Reply(400)


class _Unauthenticated(SignalRefused):
    """Who asks is not the org."""


class Receivers:
    """All of them, by path."""

    def __init__(self, receivers: Iterable[Receiver]) -> None:
        self._receivers: Mapping[bytes, Receiver] = {receiver.path: receiver for receiver in receivers}
        self._busy = 0

    def find(self, downstream: Downstream) -> Receiver | None:
        """Whose path is asked for, None where it is no receiver's."""
        return self._receivers.get(downstream.raw_path)

    async def receive(self, receiver: Receiver, downstream: Downstream) -> Reply:
        """What is answered, whatever was sent."""
        if downstream.method != "POST":
            return Reply(405, ((b"allow", b"POST"),))
        signal = GLOBAL_REVOCATION if isinstance(receiver, RevocationReceiver) else ""
        try:
            if self._busy >= MOST_AT_ONCE:
                raise Unavailable("too many at once")
            self._busy += 1
            try:
                body = await _read(downstream, receiver.media_type)
                return await receiver.answer(downstream, body, downstream.caller)
            finally:
                self._busy -= 1
        except SignalRefused as error:
            receiver.reception.note_refusal(signal, error)
            return receiver.refuse(error)
        except Unavailable as error:
            receiver.reception.note_refusal(signal, error)
            return Reply(503, (_RETRY_AFTER,))


async def _read(downstream: Downstream, media_type: str) -> bytes:
    said = downstream.values(b"content-type")
    if len(said) != 1 or said[0].partition(b";")[0].strip().lower() != media_type.encode():
        raise SignalRefused("invalid_request", f"the media type is not {media_type}")
    if downstream.values(b"content-encoding"):
        raise SignalRefused("invalid_request", "the body is encoded")
    pieces = []
    try:
        body = downstream.body(MAX_BODY)
        async with asyncio.timeout(BODY_TIMEOUT):
            while body is not None and (piece := await body.read()):
                pieces.append(piece)
    except RequestTooLarge:
        raise SignalRefused("invalid_request", f"the body is larger than {MAX_BODY} bytes") from None
    except (BadRequest, TimeoutError):
        raise SignalRefused("invalid_request", "the body does not arrive") from None
    return b"".join(pieces)


def _read_bearer(downstream: Downstream) -> str:
    """The one credential. Raises SignalRefused."""
    try:
        return find_authorization(downstream.values(b"authorization"))
    except SubjectTokenError as error:
        raise SignalRefused("authentication_failed", str(error)) from None
