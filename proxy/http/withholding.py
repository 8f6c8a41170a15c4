"""What callers show to say who they are: on no route does any of it go further, nor a copy of it in the head.

The fields, parameters and subprotocols that show credentials end here by their names, whatever the route; their
values are then looked for in all that goes on, as it is and percent-encoded. Where a copy can be left out
(a cookie, a query parameter, a field, a subprotocol) it is; where not (the path, what we repeat as ``Via`` does)
the request is refused. Not looked at: bodies.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..errors import AuthorizationMalformed
from ..jose.encoding import encode_base64url
from .bearer import list_subprotocol_tokens, split_query
from .headers import Ended, Field
from .percent_encoding import decode_repeatedly

# What nobody has verified is a secret from this length on: less is guessed sooner than read, and may stand anywhere
# by chance, as "null" does, which some applications send for a token that they have not got.
SHORTEST: Final = 16  # bytes
MOST: Final = 4  # credentials: one in each place, for which all of the head is searched
_LONGEST_SCHEME: Final = 32  # bytes: more than any authentication scheme has, and the space behind it

_AUTHORIZATION: Final = b"authorization"
_SUBPROTOCOL: Final = b"sec-websocket-protocol"
_ENCODED_NAME: Final = re.compile(rb"[?&][^?=&%]*%")


class CredentialNames:
    """Where callers may show credentials: ``Authorization``, and further headers and query parameters."""

    def __init__(self, headers: Iterable[str] = (), parameters: Iterable[str] = ()) -> None:
        self.headers = frozenset({_AUTHORIZATION, *(name.lower().encode("ascii") for name in headers)})
        self.parameters = frozenset(name.encode("ascii") for name in parameters)
        self._one_header = len(self.headers) == 1
        self._named = re.compile(b"|".join(map(re.escape, self.parameters)))

    def split_query(self, url: bytes) -> tuple[list[bytes], bytes]:
        """What the parameters of these names hold, and ``url``, or what of it begins with ``?``, without them.

        For those that have any ``parameters``.
        """
        # Most hold none of the names, nor one that is encoded, and need not be taken apart.
        if self._named.search(url) is None and (b"%" not in url or _ENCODED_NAME.search(url) is None):
            return [], url
        path, _, query = url.partition(b"?")
        values, rest = split_query(query, self.parameters)
        return values, path + _build_query_part(rest) if values else url

    def find_secrets(
        self,
        ended: Ended,
        in_query: Sequence[bytes] = (),
        token: bytes | None = None,
        *,
        size: int = sys.maxsize,
    ) -> Sequence[bytes]:
        """What stands under these names, and among the subprotocols, after the ``token`` that is known already.

        One more than ``MOST`` at the most. Nothing, where the head has ``size`` bytes, the one token is among them,
        and there is no room for a copy: as with nearly all requests, whose head is then not searched.
        """
        if token is not None and not in_query:
            single = self._find_single(ended)
            if single is not None and single.endswith(token):
                secret = token.rstrip(b"=")
                return () if size < len(token) + len(secret) else (secret,)
        # What stands in a copy also where that does without the ``=`` at the end.
        found = [] if token is None else [token.rstrip(b"=")]
        for name in self.headers:
            for value in ended.get(name, ()):
                _add(found, value.partition(b" ")[2] or value)  # behind the scheme, where there is one
        for value in in_query:
            _add(found, value)
        if _SUBPROTOCOL in ended:
            for value in list_subprotocol_tokens(ended[_SUBPROTOCOL]):
                _add(found, value)
        return found

    def stand_in(self, text: bytes, ended: Ended, query: bytes) -> bool:
        """Whether any of what stands under these names stands in ``text``, too."""
        in_query, _ = self.split_query(b"?" + query) if self.parameters else ((), b"")
        single = self._find_single(ended)
        if single is not None and not in_query and len(single) > len(text) + _LONGEST_SCHEME:
            return False  # it is longer
        secrets = self.find_secrets(ended, in_query)
        return bool(secrets) and holds(secrets, text)

    def strip_referer(self, fields: list[Field]) -> list[Field]:
        """``fields`` without a ``Referer`` that has such a parameter: the page was called with a token, too."""
        for name, url in fields:
            if name == b"referer" and self.split_query(url)[0]:
                return [field for field in fields if field[0] != b"referer"]
        return fields

    def _find_single(self, ended: Ended) -> bytes | None:
        """The one ``Authorization`` that is all that is shown outside of the query, as with nearly all requests."""
        values = ended.get(_AUTHORIZATION)
        if values is None or len(values) > 1 or not self._one_header or _SUBPROTOCOL in ended:
            return None
        return values[0]


def withhold(secrets: Sequence[bytes], fields: list[Field]) -> list[Field]:
    """``fields`` without ``secrets``: a cookie that holds one goes, and so does any other field that does."""
    shortest = min(map(len, secrets))
    for _, value in fields:
        if len(value) >= shortest and holds(secrets, value):
            return [field for each in fields for field in _withhold(secrets, each)]
    return fields


def withhold_from_query(secrets: Sequence[bytes], query_part: bytes) -> bytes:
    """``query_part``, with its ``?``, without the parameters that hold one of ``secrets``."""
    if len(query_part) <= min(map(len, secrets)) or not holds(secrets, query_part):
        return query_part
    return _build_query_part(_without(secrets, query_part[1:], b"&"))


def withhold_from_subprotocols(secrets: Sequence[bytes], subprotocols: Sequence[str]) -> list[str]:
    """``subprotocols`` without those that hold one of ``secrets``, also in the encoding that others have for it."""
    forms = [*secrets, *(encode_base64url(secret).encode("ascii") for secret in secrets)]
    return [name for name in subprotocols if not holds(forms, name.encode("latin-1"))]


def refuse_many(secrets: Sequence[bytes]) -> None:
    """Raises AuthorizationMalformed for more credentials than any request needs."""
    if len(secrets) > MOST:
        raise AuthorizationMalformed("the request shows more credentials than there are places for them")


def refuse_copies(secrets: Sequence[bytes], path: bytes, repeated: Iterable[Field]) -> None:
    """Raises AuthorizationMalformed where one of ``secrets`` stands in what cannot be left out (RFC 6750 §2)."""
    shortest = min(map(len, secrets))
    if len(path) > shortest and holds(secrets, path):
        raise AuthorizationMalformed("the token stands in the path, too")
    for name, value in repeated:
        if len(value) >= shortest and holds(secrets, value):
            raise AuthorizationMalformed(f"the token stands in {name.decode('ascii')}, too")


def holds(secrets: Sequence[bytes], text: bytes) -> bool:
    """Whether one of ``secrets`` stands in ``text``, as it is or percent-encoded; also where that cannot be told."""
    if b"%" not in text:
        return any(secret in text for secret in secrets)
    # The semicolon stands in no token (RFC 6750 §2.1). Most cookies are shorter than one, and need no decoding.
    shortest = min(map(len, secrets))
    parts = [part for part in text.split(b";") if len(part) >= shortest]
    return any(_hold_part(secrets, part) for part in parts)


def _hold_part(secrets: Sequence[bytes], text: bytes) -> bool:
    try:
        readings = decode_repeatedly(text)
    except ValueError:
        return True
    return any(secret in reading for reading in readings for secret in secrets)


def _add(secrets: list[bytes], credential: bytes) -> None:
    secret = credential.strip().rstrip(b"=")
    if len(secret) >= SHORTEST and len(secrets) <= MOST and secret not in secrets:
        secrets.append(secret)


def _withhold(secrets: Sequence[bytes], field: Field) -> Iterator[Field]:
    name, value = field
    if not holds(secrets, value):
        yield field
    elif name == b"cookie" and (rest := _without(secrets, value, b";").strip()):
        yield name, rest


def _without(secrets: Sequence[bytes], value: bytes, separator: bytes) -> bytes:
    return separator.join(part for part in value.split(separator) if not holds(secrets, part))


def _build_query_part(query: bytes) -> bytes:
    return b"?" + query if query else b""
