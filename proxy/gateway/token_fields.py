"""How an access token is shown to an upstream (RFC 6750 §2.1, RFC 9449 §7.1), or where else its API looks for it.

A bearer token is shown as it is, one that is bound to a key with a proof of that key, and never one kind as
the other. Where a token stands elsewhere than in ``Authorization``, whatever the caller sent in that place goes first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote

from ..config.models import TokenOut
from ..exchange.dpop_nonces import Nonces
from ..exchange.token_exchange import AccessToken
from ..http.bearer import split_query
from ..http.headers import Field, Fields, fold, values
from ..http.withholding import SHORTEST, holds

if TYPE_CHECKING:
    from ..exchange.dpop import DPoPKey

DPOP: Final = "DPoP"


class Request(Protocol):
    """A request that a token is to be shown on."""

    method: str
    target: bytes
    fields: Fields


class Answer(Protocol):
    """What its upstream says."""

    @property
    def headers(self) -> list[Field]: ...


R = TypeVar("R", bound=Request)
A = TypeVar("A", bound=Answer)
Transmit = Callable[[R, list[Field]], Awaitable[A]]


class TokenFields:
    """Shows tokens to the upstream at ``base_url``; ``key`` is the one that DPoP tokens are bound to."""

    def __init__(self, base_url: str, key: DPoPKey | None) -> None:
        self._base_url = base_url
        self._key = key
        self._nonces = Nonces()

    def send(self, request: R, access_token: AccessToken, transmit: Transmit[R, A]) -> Awaitable[A]:
        """Send ``request`` with a token that is shown without a proof."""
        return transmit(request, [(b"authorization", access_token.authorization)])

    def send_bare(self, request: R, transmit: Transmit[R, A]) -> Awaitable[A]:
        """Send ``request`` without a token: of the caller's there is nothing in that place either."""
        return transmit(request, [])

    def build_fields(self, access_token: AccessToken, method: str, target: bytes) -> list[Field]:
        """The fields that show ``access_token`` on one request: a proof is never used twice."""
        fields = [(b"authorization", access_token.authorization)]
        if access_token.token_type == DPOP and self._key is not None:
            url = self._base_url + target.decode("ascii")
            proof = self._key.proof(
                method, url, nonce=self._nonces.find(url), access_token=access_token.value
            )
            fields.append((b"dpop", proof.encode("ascii")))
        return fields

    def find_rivals(self, names: Iterable[bytes]) -> set[bytes]:
        """By which ``names`` of its fields the caller's may be taken for ours, however they are spelt."""
        return set()

    def conceal(self, fields: list[Field], access_token: AccessToken) -> None:
        """Take out of an answer's ``fields`` what repeats the token, where it stands in what is often repeated."""

    def learn(self, status: int, fields: Fields) -> bool:
        """Keep the nonce of an answer to a proof; True where the answer is that it lacked it (RFC 9449 §9)."""
        nonce = next(iter(values(fields, b"dpop-nonce")), b"").decode("latin-1")
        learnt = self._nonces.learn(self._base_url, {"dpop-nonce": nonce})
        challenges = b" ".join(values(fields, b"www-authenticate"))
        return learnt and status == 401 and b"use_dpop_nonce" in challenges


class InHeader(TokenFields):
    """Shows tokens in a field of another name, or behind another scheme."""

    def __init__(self, base_url: str, name: str, scheme: str) -> None:
        super().__init__(base_url, None)
        self._name = name.lower().encode("ascii")
        self._folded = fold(self._name)
        self._prefix = f"{scheme} " if scheme else ""

    def send(self, request: R, access_token: AccessToken, transmit: Transmit[R, A]) -> Awaitable[A]:
        self._strip(request)
        return transmit(request, self.build_fields(access_token, request.method, request.target))

    def send_bare(self, request: R, transmit: Transmit[R, A]) -> Awaitable[A]:
        self._strip(request)
        return transmit(request, [])

    def build_fields(self, access_token: AccessToken, method: str, target: bytes) -> list[Field]:
        return [(self._name, f"{self._prefix}{access_token.value}".encode("ascii"))]

    def find_rivals(self, names: Iterable[bytes]) -> set[bytes]:
        return {name for name in names if fold(name) == self._folded}

    def _strip(self, request: Request) -> None:
        request.fields = [field for field in request.fields if fold(field[0]) != self._folded]


class InQuery(TokenFields):
    """Shows tokens in a query parameter (RFC 6750 §2.3); what an upstream repeats of it goes no further."""

    def __init__(self, base_url: str, name: str) -> None:
        super().__init__(base_url, None)
        self._name = name.encode("ascii")

    async def send(self, request: R, access_token: AccessToken, transmit: Transmit[R, A]) -> A:
        self._strip(request)
        shown = self._name + b"=" + quote(access_token.value, safe="").encode("ascii")
        request.target += (b"&" if b"?" in request.target else b"?") + shown
        answer = await transmit(request, [])
        self.conceal(answer.headers, access_token)
        return answer

    def conceal(self, fields: list[Field], access_token: AccessToken) -> None:
        _conceal(fields, access_token, self._name)

    def send_bare(self, request: R, transmit: Transmit[R, A]) -> Awaitable[A]:
        self._strip(request)
        return transmit(request, [])

    def _strip(self, request: Request) -> None:
        request.target = _without_parameter(request.target, self._name)


class InCookie(TokenFields):
    """Shows tokens in a cookie (RFC 6265 §4.2), beside the caller's others."""

    def __init__(self, base_url: str, name: str) -> None:
        super().__init__(base_url, None)
        self._name = name.encode("ascii")

    async def send(self, request: R, access_token: AccessToken, transmit: Transmit[R, A]) -> A:
        self._replace(request, [self._name + b"=" + access_token.value.encode("ascii")])
        answer = await transmit(request, [])
        self.conceal(answer.headers, access_token)
        return answer

    def conceal(self, fields: list[Field], access_token: AccessToken) -> None:
        _conceal(fields, access_token, self._name)

    def send_bare(self, request: R, transmit: Transmit[R, A]) -> Awaitable[A]:
        self._replace(request, [])
        return transmit(request, [])

    def _replace(self, request: Request, ours: list[bytes]) -> None:
        """Set ``ours`` in place of the cookies of that name. The others stay: the request may be sent again."""
        pairs = [pair.strip() for line in values(request.fields, b"cookie") for pair in line.split(b";")]
        others = [pair for pair in pairs if pair and pair.partition(b"=")[0].strip() != self._name]
        request.fields = [field for field in request.fields if field[0] != b"cookie"]
        if others or ours:
            request.fields.append((b"cookie", b"; ".join([*others, *ours])))


def build_token_fields(place: TokenOut, base_url: str, key: DPoPKey | None) -> TokenFields:
    """How tokens are shown that stand at ``place``."""
    if place.query is not None:
        return InQuery(base_url, place.query)
    if place.cookie is not None:
        return InCookie(base_url, place.cookie)
    if place.is_usual:
        return TokenFields(base_url, key)
    return InHeader(base_url, place.header or "Authorization", place.scheme)


def _conceal(headers: list[Field], access_token: AccessToken, name: bytes) -> None:
    """Take the token out of an answer's fields, such as the redirect of an API that repeats its query."""
    token = access_token.value.encode("ascii")
    if len(token) < SHORTEST:
        return  # it may stand anywhere by chance
    secrets = [token.rstrip(b"=")]
    concealed: list[Field] = []
    for field, value in headers:
        told = _without_parameter(value, name) if field == b"location" and holds(secrets, value) else value
        if not holds(secrets, told):
            concealed.append((field, told))
    headers[:] = concealed


def _without_parameter(url: bytes, name: bytes) -> bytes:
    path, _, query = url.partition(b"?")
    rest = split_query(query, {name})[1]
    return path + b"?" + rest if rest else path
