"""Subject identifiers (RFC 9493): whom an event means, and by which claims of callers' tokens that user is found.

An org names a user in its own terms: by the id that it has for the user, or by an address. The tokens of its custom
authorization servers tell the same in claims of theirs. Both sides are made to one digest, the *identifier*, so that
whatever is of a user can be kept under it and found again without looking through all there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from .claims import is_subject, is_text

MOST_SUBJECTS: Final = 16  # in one event: whoever is known by more names than that is a mistake
# The member that tells who it is, by format (§3.2; "account" and "uri" tell it in one of the same name).
_MEMBERS: Final = {
    "account": "uri",
    "email": "email",
    "iss_sub": "sub",
    "opaque": "id",
    "phone_number": "phone_number",
    "uri": "uri",
}
_FOLDED: Final = frozenset({"email"})  # written in any case
_DOMAIN: Final = b"obo-proxy identifier 1\0"

Identify = Callable[[Mapping[str, Any]], tuple[bytes, ...]]  # verified claims → the identifiers of their user


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is meant: ``value`` of ``member``; ``issuer`` is whose ``sub`` it is, None for the other members."""

    member: str
    value: str = field(repr=False)
    issuer: str | None = None


def parse_subjects(value: object) -> tuple[Subject, ...]:
    """All the names by which ``value``, a subject identifier, calls one user. Raises ValueError.

    Of a complex subject (Shared Signals Framework 1.0 §3.3) it is the ``user``; Okta leaves its ``format`` out.
    """
    match value:
        case {"format": "complex", "user": user}:
            return _parse_simple(user)
        case {"format": _}:
            return _parse_simple(value)
        case {"user": user}:
            return _parse_simple(user)
        case _:
            return _refuse()


def _parse_simple(value: object) -> tuple[Subject, ...]:
    match value:
        case {"format": "aliases", "identifiers": list(identifiers)}:
            if not 0 < len(identifiers) <= MOST_SUBJECTS:
                raise ValueError(f"aliases need 1 to {MOST_SUBJECTS} identifiers")
            return tuple(subject for identifier in identifiers for subject in _parse_named(identifier))
        case _:
            return _parse_named(value)


def _parse_named(value: object) -> tuple[Subject, ...]:
    if not isinstance(value, dict) or not _is_known(value.get("format")):
        return _refuse()
    name = value["format"]
    member, issuer = _MEMBERS[name], value.get("iss") if name == "iss_sub" else None
    if not is_subject(value.get(member)) or (name == "iss_sub" and not is_text(issuer)):
        raise ValueError(f"the subject's {member} or iss is not of the right form")
    return (Subject(member, value[member], issuer),)


def _is_known(name: object) -> bool:
    return isinstance(name, str) and name in _MEMBERS


def _refuse() -> tuple[Subject, ...]:
    raise ValueError("the subject is not of a format that names a user")


def build_identifier(org: str, member: str, value: str) -> bytes:
    """The user whom ``org`` calls so (32 bytes)."""
    folded = value.casefold() if member in _FOLDED else value
    return sha256(_DOMAIN + json.dumps([org, member, folded]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Org:
    """Who sends events: ``issuer`` is theirs, ``token_issuers`` made the tokens of the users that they mean.

    ``match`` maps a member of a subject identifier to the claim of those tokens that has the same value.
    """

    issuer: str
    token_issuers: frozenset[str]
    match: Mapping[Any, str]
    build_owner: Callable[[str, str], bytes]

    def identify(self, claims: Mapping[str, Any]) -> tuple[bytes, ...]:
        """By what events of this org may mean the user of verified ``claims``."""
        return tuple(
            build_identifier(self.issuer, member, claims[claim])
            for member, claim in self.match.items()
            if isinstance(claims.get(claim), str)
        )

    def speaks_for(self, issuer: str) -> bool:
        """Whether ``issuer`` is the org or a server of its."""
        return issuer == self.issuer or issuer in self.token_issuers

    def find(self, subject: Subject) -> bytes | None:
        """Whom ``subject`` means: None where no claim tells of its member, or it is another issuer's."""
        if subject.issuer in self.token_issuers - {self.issuer}:
            return self.build_owner(str(subject.issuer), subject.value)  # the very subject of those tokens
        if subject.issuer not in (None, self.issuer) or subject.member not in self.match:
            return None
        return build_identifier(self.issuer, subject.member, subject.value)


def build_identify(orgs: Sequence[Org], build_owner: Callable[[str, str], bytes]) -> Identify:
    """By what the user of verified claims may be meant: by issuer and subject, and in the terms of the orgs.

    Nothing for tokens of issuers that no org speaks for.
    """

    def identify(claims: Mapping[str, Any]) -> tuple[bytes, ...]:
        speaking = [org for org in orgs if claims["iss"] in org.token_issuers]
        if not speaking:
            return ()
        found = {build_owner(claims["iss"], claims["sub"]): None}
        for org in speaking:
            found |= dict.fromkeys(org.identify(claims))
        return tuple(found)

    return identify
