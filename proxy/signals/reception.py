"""What happens to a signal whichever way it came: believed or not, taken once, and what it says done everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ..authentication.signal_token import ALGORITHMS, SignalRefused, UnverifiedSignal
from ..authentication.signing_keys import SigningKeys
from ..authentication.subject_identifier import Org, Subject
from ..authentication.verifier import find_key
from ..cache.replicas import RevocationOwed
from ..cache.revocation import Revocation
from ..cache.revoker import Revoker
from ..errors import ExchangeError, ProxyError
from ..jose.jwk import SigningKey
from ..runtime import Background, Clock
from .allowance import Allowance
from .once import REMEMBERED_FOR, Once, build_name
from .record import Outcome, SignalRecord

T = TypeVar("T")


class Unavailable(Exception):
    """Nothing is wrong with the signal: it is to be sent again. ``outcome`` is what is counted."""

    def __init__(self, reason: str, outcome: Outcome = "limited") -> None:
        super().__init__(reason)
        self.outcome = outcome


class UserUnknown(SignalRefused):
    """Nobody can be found by the subject; where it is ``foreign`` it is of an issuer that is not the org's."""

    def __init__(self, description: str, *, foreign: bool) -> None:
        super().__init__("access_denied" if foreign else "invalid_request", description)
        self.foreign = foreign


@dataclass(frozen=True, slots=True)
class Reception:
    """One org's: ``keys`` are those that it signs with."""

    authorization_server: str
    org: Org
    keys: SigningKeys
    revoker: Revoker
    once: Once
    allowance: Allowance
    background: Background
    clock: Clock
    note: Callable[[SignalRecord], None]

    async def verify(
        self, token: UnverifiedSignal, address: str, verify: Callable[[UnverifiedSignal, SigningKey], T]
    ) -> T:
        """What ``verify`` makes of the token and its key. Raises SignalRefused, Unavailable."""
        if self.once.is_taken(self._name(token)):
            raise _taken()  # before its signature, which holds, is checked for nothing
        key = await self._find_key(token)
        if not self.allowance.spend(address):
            raise Unavailable("too many signatures have not held")
        verified = verify(token, key)
        self.allowance.give_back(address)
        return verified

    async def end_access(
        self, signal: str, token: UnverifiedSignal, subjects: Sequence[Subject], happened_at: float
    ) -> None:
        """End what ``subjects``, one user, have, also if the sender leaves. Raises SignalRefused, Unavailable."""
        identifiers = self._find(subjects)
        await self._complete(self._end_access(signal, token, identifiers, happened_at))

    async def acknowledge(self, signal: str, token: UnverifiedSignal) -> None:
        """Nobody's access ends by it. Raises SignalRefused."""
        await self._complete(self._acknowledge(signal, token))

    async def _complete(self, doing: Coroutine[Any, Any, None]) -> None:
        """What is begun is brought to its end: a token that was taken, and not acted upon, would never be again."""
        await asyncio.shield(self.background.spawn(doing, name="signal", awaited=True))

    async def _end_access(
        self, signal: str, token: UnverifiedSignal, identifiers: tuple[bytes, ...], happened_at: float
    ) -> None:
        revocations = [Revocation("user", identifier, happened_at) for identifier in identifiers]
        with self._taking(token) as name:
            await self._require_new(name)
            try:
                purged = await self.revoker.revoke(revocations)
            except RevocationOwed as owed:
                self._note(signal, "owed", token, identifiers, owed.dropped, owed.reason)
                raise Unavailable("not everybody has been told yet", "owed") from None
            await self._finish(name)
        self._note(signal, "ended", token, identifiers, purged)

    async def _acknowledge(self, signal: str, token: UnverifiedSignal) -> None:
        with self._taking(token) as name:
            await self._require_new(name)
            await self._finish(name)
        self._note(signal, "acknowledged", token)

    @contextmanager
    def _taking(self, token: UnverifiedSignal) -> Iterator[bytes]:
        """The token's name: it is taken here, but may come again where what is done inside does not end well.

        Raises SignalRefused where it was taken before.
        """
        name = self._name(token)
        if self.once.is_taken(name):
            raise _taken()
        self.once.take(name)
        try:
            yield name
        except SignalRefused:
            raise
        except BaseException:
            self.once.give_back(name)
            raise

    async def _require_new(self, name: bytes) -> None:
        """Raises SignalRefused where another replica has taken the token of that name."""
        if await self.revoker.is_taken(name):
            raise _taken()

    async def _finish(self, name: bytes) -> None:
        """Raises SignalRefused where another replica took it at the very same time; it does no harm twice."""
        if not await self.revoker.take(name, REMEMBERED_FOR):
            raise _taken()

    def note_refusal(self, signal: str, error: SignalRefused | Unavailable) -> None:
        """What was owed is told already."""
        outcome: Outcome = error.outcome if isinstance(error, Unavailable) else "refused"
        if outcome != "owed":
            record = SignalRecord(
                self.authorization_server, self.org.issuer, signal, outcome, reason=str(error)
            )
            self.note(record)

    def _name(self, token: UnverifiedSignal) -> bytes:
        return build_name(self.org.issuer, token.token_id)

    async def _find_key(self, token: UnverifiedSignal) -> SigningKey:
        try:
            return await find_key(token.jws, ALGORITHMS, self.keys)
        except ExchangeError as error:
            raise Unavailable(str(error)) from None
        except ProxyError as error:
            raise SignalRefused("invalid_key", str(error)) from None

    def _find(self, subjects: Sequence[Subject]) -> tuple[bytes, ...]:
        found = {identifier: None for each in subjects if (identifier := self.org.find(each)) is not None}
        if found:
            return tuple(found)
        if all(each.issuer is not None and not self.org.speaks_for(each.issuer) for each in subjects):
            raise UserUnknown("the subject's iss is another issuer", foreign=True)
        members = " or ".join(sorted({each.member for each in subjects}))
        raise UserUnknown(f"match names no claim of our callers' tokens for {members}", foreign=False)

    def _note(
        self,
        signal: str,
        outcome: Outcome,
        token: UnverifiedSignal,
        identifiers: tuple[bytes, ...] = (),
        purged: int = 0,
        unreached: str | None = None,
    ) -> None:
        self.note(
            SignalRecord(
                self.authorization_server,
                self.org.issuer,
                signal,
                outcome,
                None,
                token.token_id,
                identifiers,
                purged,
                unreached,
            )
        )


def _taken() -> SignalRefused:
    return SignalRefused("invalid_request", "the token was used before")
