"""Header fields of an intermediary (RFC 9110 §7.6): strip first, then set ours.

Stripping before setting is what keeps a ``Connection: authorization`` from taking our own field away again.
Names come in lower case, as ASGI gives them; values go on byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .errors import ExpectationFailed, LoopDetected

Fields = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Set by us on the way up, so never taken from the caller.
_OURS = frozenset({b"authorization", b"content-length", b"dpop", b"expect", b"host", b"via", b"x-request-id"})
# What an upstream may take for an authenticated identity: only a proxy may say it, and we say it by token.
_IDENTITY = (
    b"x-auth-",
    b"x-forwarded-access-token",
    b"x-forwarded-email",
    b"x-forwarded-groups",
    b"x-forwarded-preferred-username",
    b"x-forwarded-user",
    b"x-okta-",
    b"x-remote-",
    b"remote-",
    b"x-authenticated-",
)
# Where the caller is and what it asked for: said by whoever stands in front of us, if we trust it.
_FORWARDING = (b"forwarded", b"x-forwarded-", b"x-original-", b"x-real-ip", b"x-rewrite-url")
# Those that we set or append to whether or not the peer is trusted.
_FORWARDED_BY_US = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})

_MEMO_SIZE = 4096  # names; a caller that invents more only loses the speed of the memo
_MEMO_NAME = 64  # bytes of a name worth remembering


class RequestFilter:
    """Which of a caller's header fields go on; the verdict on each name is remembered.

    A trusted peer's own forwarding fields are kept. ``also`` are further names that carry credentials.
    """

    def __init__(self, *, trusted: bool, also: Iterable[bytes] = ()) -> None:
        self._names = HOP_BY_HOP | _OURS | _FORWARDED_BY_US | frozenset(also)
        self._prefixes = _IDENTITY if trusted else _IDENTITY + _FORWARDING
        self._memo: dict[bytes, bool] = {}

    def keeps(self, name: bytes) -> bool:
        verdict = self._memo.get(name)
        if verdict is None:
            # CGI and WSGI read '_' as '-': both spellings are one field.
            folded = name.replace(b"_", b"-")
            verdict = folded not in self._names and not folded.startswith(self._prefixes)
            if len(self._memo) < _MEMO_SIZE and len(name) <= _MEMO_NAME:
                self._memo[name] = verdict
        return verdict

    def strip(self, fields: Fields) -> list[tuple[bytes, bytes]]:
        """``fields`` without hop-by-hop, nominated, identity and credential fields; order and repeats kept."""
        keeps = self.keeps
        kept = [field for field in fields if keeps(field[0])]
        nominated = _nominated(fields)
        return [field for field in kept if field[0] not in nominated] if nominated else kept


def strip_response(fields: Fields) -> list[tuple[bytes, bytes]]:
    """A response's fields without those that end at this hop."""
    kept = [field for field in fields if field[0] not in HOP_BY_HOP]
    if len(kept) == len(fields):
        return kept
    nominated = _nominated(fields)
    return [field for field in kept if field[0] not in nominated] if nominated else kept


def strip_handshake(fields: Fields) -> list[tuple[bytes, bytes]]:
    """``fields`` without those of a websocket's handshake (RFC 6455 §11.3): each hop makes its own."""
    return [field for field in fields if not field[0].startswith(b"sec-websocket-")]


def build_request_head(
    method: str, target: bytes, fields: Fields, ours: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The bytes of a request head: ``fields`` as stripped, then ``ours``."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), target)]
    lines += [b"%b: %b\r\n" % field for field in fields]
    lines += [b"%b: %b\r\n" % field for field in ours]
    lines.append(b"\r\n")
    return b"".join(lines)


def values(fields: Fields, name: bytes) -> list[bytes]:
    """The values of every field line called ``name``, in order."""
    return [value for field, value in fields if field == name]


def append(fields: Fields, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """One field of what ``name`` held so far and ``value`` after it (RFC 9110 §5.3)."""
    return name, b", ".join([*values(fields, name), value])


def refuse_loop(fields: Fields, pseudonym: bytes) -> None:
    """Raises LoopDetected where ``Via`` names us already (RFC 9110 §7.6.3)."""
    for value in values(fields, b"via"):
        if pseudonym in value:
            raise LoopDetected("Via names this very proxy")


def refuse_expectation(fields: Fields) -> None:
    """Raises ExpectationFailed for anything but ``100-continue`` (RFC 9110 §10.1.1)."""
    for value in values(fields, b"expect"):
        if value.strip().lower() != b"100-continue":
            raise ExpectationFailed("an expectation other than 100-continue")


def is_preflight(method: str, fields: Fields) -> bool:
    """Whether a browser asks what it may ask (Fetch Standard §4.8): such a request brings no credentials."""
    return method == "OPTIONS" and {b"origin", b"access-control-request-method"} <= {
        name for name, _ in fields
    }


def _nominated(fields: Fields) -> frozenset[bytes]:
    """The names in every ``Connection`` line, lower-cased, empty elements dropped (RFC 9110 §7.6.1)."""
    options = [
        option.strip() for value in values(fields, b"connection") for option in value.lower().split(b",")
    ]
    return frozenset(options) - {b"", b"close", b"keep-alive"}
