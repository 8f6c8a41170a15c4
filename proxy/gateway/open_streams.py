"""Responses and websockets under way that end with their user's access, on routes that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..authentication.index import Index
from ..authentication.subject_token import SubjectToken
from ..cache.key import build_owner
from ..cache.user_revocations import UserRevocations


class OpenStreams:
    """Those of the routes of one configuration."""

    def __init__(self, users: UserRevocations) -> None:
        self._users = users
        self._cuts: Index[Callable[[], None]] = Index()

    def __len__(self) -> int:
        return len(self._cuts)

    @contextmanager
    def open(self, subject_token: SubjectToken | None, cut: Callable[[], None]) -> Iterator[None]:
        """Inside, ``cut`` is called when the access of the user ends, or of who acts for the user.

        At once where it did while the upstream answered.
        """
        if subject_token is None:
            yield
            return
        identifiers = _identify(subject_token)
        ended = self._has_ended(subject_token, identifiers)
        if subject_token.actor is not None:
            actors = _identify(subject_token.actor)
            ended = ended or self._has_ended(subject_token.actor, actors)
            identifiers += actors
        if ended:
            cut()
        self._cuts.add(cut, identifiers)
        try:
            yield
        finally:
            self._cuts.discard(cut, identifiers)

    def end(self, identifier: bytes) -> None:
        """The access of that user was revoked."""
        for cut in self._cuts.find(identifier):
            cut()

    def _has_ended(self, subject_token: SubjectToken, identifiers: tuple[bytes, ...]) -> bool:
        return (subject_token.issued_at or 0.0) <= self._users.not_before(identifiers)


def _identify(subject_token: SubjectToken) -> tuple[bytes, ...]:
    """By what the end of that user's access is told."""
    return subject_token.identifiers or (build_owner(subject_token.issuer, subject_token.subject),)
