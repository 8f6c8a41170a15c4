"""Header fields of an intermediary (RFC 9110 §7.6): strip first, then set ours.

Stripping before setting is what keeps a ``Connection: authorization`` from taking our own field away again.
Names come in lower case, as ASGI gives them; values go on byte for byte. Names are compared as CGI readers
fold them: ``_``, ``.`` and whatever else is neither letter nor digit are all one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from ..errors import ExpectationFailed, LoopDetected

Field = tuple[bytes, bytes]
Fields = Sequence[Field]
Ended = dict[bytes, list[bytes]]  # the values of fields that end here, by name

HOP_BY_HOP: Final = frozenset(
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
_OURS: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"dpop",
        b"expect",
        b"host",
        b"max-forwards",
        b"traceparent",
        b"tracestate",
        b"via",
        b"x-request-id",
    }
)
# No field at all: a CGI reader makes HTTP_PROXY of it, and some libraries take that for their own proxy (httpoxy).
_NEVER: Final = frozenset({b"proxy"})
# Each hop makes its own (RFC 6455 §11.3); where there is no websocket, they mean nothing, and may hold a token.
HANDSHAKE: Final = b"sec-websocket-"
# What an upstream may take for an authenticated identity: only a proxy may say it, and we say it by token.
_IDENTITY: Final = (
    b"remote-",
    b"x-amzn-oidc-",
    b"x-auth-",
    b"x-authenticated-",
    b"x-forwarded-access-token",
    b"x-forwarded-email",
    b"x-forwarded-groups",
    b"x-forwarded-preferred-username",
    b"x-forwarded-user",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"x-ms-client-principal",
    b"x-ms-token-",
    b"x-okta-",
    b"x-remote-",
    b"x-webauth-",
)
# Where the caller is, which certificate it showed and what it asked for: said by whoever stands in front of us, if we
# trust it.
_FORWARDING: Final = (
    b"cf-connecting-ip",
    b"client-cert",  # RFC 9440 §2.4
    b"client-ip",
    b"forwarded",
    b"ssl-client-",
    b"true-client-ip",
    b"x-arr-clientcert",
    b"x-client-cert",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-forwarded-",
    b"x-original-",
    b"x-real-ip",
    b"x-rewrite-url",
    b"x-ssl-client-",
)
# Those that we set or append to whether or not the peer is trusted.
_FORWARDED_BY_US: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})

# What most of them say who say anything, so that it need not be taken apart.
_PLAIN_CONNECTION: Final = {option: frozenset({option}) for option in (b"keep-alive", b"close")}
_NO_NAMES: Final = frozenset({b"", b"close", b"keep-alive"})  # what Connection says without naming a field

EXPECT: Final = b"expect"
MAX_FORWARDS: Final = b"max-forwards"
VIA: Final = b"via"

_MEMO_SIZE: Final = 4096  # names; a caller that invents more only loses the speed of the memo
_MEMO_NAME: Final = 64  # bytes of a name worth remembering

_FOLDED: Final = bytes(
    byte if chr(byte).isalnum() and byte < 128 else ord("-") for byte in bytes(range(256)).lower()
)


class RequestFilter:
    """Which of a caller's header fields go on; the verdict on each name is remembered.

    A trusted peer's own forwarding fields are kept. ``also`` are further names that end here, in lower case;
    one that ends with ``*`` stands for all that begin so.
    """

    def __init__(self, *, trusted: bool, also: Iterable[bytes] = ()) -> None:
        further = frozenset(also)
        whole = {fold(name) for name in further if not name.endswith(b"*")}
        self._names = HOP_BY_HOP | _OURS | _NEVER | _FORWARDED_BY_US | whole
        prefixes = (HANDSHAKE, *_IDENTITY, *(fold(name[:-1]) for name in further if name.endswith(b"*")))
        self._prefixes = prefixes if trusted else prefixes + _FORWARDING
        self._memo: dict[bytes, bool] = {}

    def split(self, fields: Fields) -> tuple[list[Field], Ended]:
        """The fields that go on, order and repeats kept, and the values of those that end here, by name.

        One pass for all who ask for a field later: what anybody here reads is among those that end here.
        """
        memo = self._memo
        kept: list[Field] = []
        ended: Ended = {}
        for field in fields:
            name = field[0]
            goes_on = memo.get(name)
            if goes_on is None:
                goes_on = self._judge(name)
            if goes_on:
                kept.append(field)
            elif name in ended:
                ended[name].append(field[1])
            else:
                ended[name] = [field[1]]
        if b"connection" in ended:
            kept = without_nominated(kept, read_options(ended[b"connection"]))
        return kept, ended

    def _judge(self, name: bytes) -> bool:
        folded = fold(name)
        verdict = folded not in self._names and not folded.startswith(self._prefixes)
        if len(self._memo) < _MEMO_SIZE and len(name) <= _MEMO_NAME:
            self._memo[name] = verdict
        return verdict


def strip_response(fields: Fields) -> list[Field]:
    """A response's fields without those that end at this hop."""
    kept = [field for field in fields if field[0] not in HOP_BY_HOP]
    return without_nominated(kept, read_options(values(fields, b"connection")))


def read_options(connection: Sequence[bytes]) -> AbstractSet[bytes]:
    """What the ``Connection`` fields of these values list, in lower case (RFC 9110 §7.6.1)."""
    plain = _PLAIN_CONNECTION.get(connection[0]) if len(connection) == 1 else None
    return plain or {option.strip() for value in connection for option in value.lower().split(b",")}


def without_nominated(fields: list[Field], options: AbstractSet[bytes]) -> list[Field]:
    """``fields`` without those that the ``options`` of ``Connection`` name."""
    names = options - _NO_NAMES
    return [field for field in fields if field[0] not in names] if names else fields


def strip_handshake(fields: Fields) -> list[Field]:
    """``fields`` without those of a websocket's handshake (RFC 6455 §11.3): each hop makes its own."""
    return [field for field in fields if not field[0].startswith(HANDSHAKE)]


def build_request_head(method: str, target: bytes, fields: Iterable[Field]) -> bytes:
    """The bytes of a request head."""
    lines = b"\r\n".join([b"%b: %b" % (name, value) for name, value in fields])
    return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (method.encode("ascii"), target, lines)


def values(fields: Fields, name: bytes) -> list[bytes]:
    """The values of every field line called ``name``, in order."""
    return [value for field, value in fields if field == name]


def append(ended: Ended, name: bytes, value: bytes) -> Field:
    """One field of what ``name`` had so far and ``value`` after it (RFC 9110 §5.3)."""
    return name, b", ".join([*ended.get(name, ()), value])


def refuse_loop(ended: Ended, pseudonym: bytes) -> None:
    """Raises LoopDetected where ``Via`` names us already (RFC 9110 §7.6.3)."""
    for value in ended.get(VIA, ()):
        if pseudonym in value:
            raise LoopDetected("Via names this very proxy")


def refuse_expectation(ended: Ended) -> None:
    """Raises ExpectationFailed for anything but ``100-continue`` (RFC 9110 §10.1.1)."""
    for value in ended.get(EXPECT, ()):
        if value.strip().lower() != b"100-continue":
            raise ExpectationFailed("an expectation other than 100-continue")


def is_last_stop(method: str, ended: Ended) -> bool:
    """Whether we are to answer an OPTIONS ourselves: its ``Max-Forwards`` is used up (RFC 9110 §7.6.2)."""
    return method == "OPTIONS" and ended.get(MAX_FORWARDS) == [b"0"]


def count_down(method: str, ended: Ended) -> list[Field]:
    """``Max-Forwards`` as it goes on: one less with OPTIONS; other methods need not heed it (RFC 9110 §7.6.2)."""
    fields = [(MAX_FORWARDS, value) for value in ended[MAX_FORWARDS]]
    if method == "OPTIONS" and len(fields) == 1 and fields[0][1].isdigit():
        return [(MAX_FORWARDS, b"%d" % max(0, int(fields[0][1][:9]) - 1))]
    return fields


def is_preflight(method: str, fields: Fields, ended: Ended) -> bool:
    """Whether a browser asks what it may ask (Fetch Standard §4.8): such a request brings no credentials."""
    return method == "OPTIONS" and {b"origin", b"access-control-request-method"} <= {
        *ended,
        *(name for name, _ in fields),
    }


def fold(name: bytes) -> bytes:
    """As readers do that make a variable of a name (RFC 3875 §4.1.18), and then some."""
    return name.translate(_FOLDED)
