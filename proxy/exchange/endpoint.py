"""One URL of an authorization server at which we authenticate: its tries, lessons and limits.

A call is one request for its caller and may be several on the wire. Faults of the server are tried again,
jittered, inside one time budget. Some refusals teach what makes the next try good, each once a call: a DPoP
nonce (RFC 9449 §8), the server's clock, a rotated secret. Nothing that was signed for one try is used for
another. Each call is made for an asker, by whom failures, pauses and places are counted, so that one user's trouble
with the server does not become everybody's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from mypy_extensions import mypyc_attr

from ..errors import (
    AuthorizationServerThrottled,
    AuthorizationServerTimeout,
    AuthorizationServerUnavailable,
    ExchangeMisconfigured,
    ProxyError,
    clear_tracebacks,
)
from ..runtime import Clock, Deadline
from .answer import Answer
from .bulkhead import MOST, Bulkhead
from .circuit_breaker import PAUSE, PROBE_EVERY, Breaker
from .credentials import ClientAuthentication, Credentials
from .dpop_nonces import Nonces
from .oauth_errors import classify, is_per_user
from .okta_refusals import CHECK_CLIENT
from .rate_limit import SCARCE, RateGate
from .token_exchange import Form, encode_form
from .transport import Outbound

if TYPE_CHECKING:
    from .dpop import DPoPKey

TRIES = 3
BACKOFF = 0.2  # s before the second try at most, twice as long before the third
CLOCK_TOLERANCE = 2.0  # s: a Date is cut to the second and some time old when it is read
_SECRET_FIELDS = frozenset({"subject_token", "actor_token", "assertion", "token"})

Sleep = Callable[[float], Awaitable[None]]
Random = Callable[[], float]  # a number from [0, 1)
jitter: Random = SystemRandom().random


@mypyc_attr(native_class=False)
@dataclass(slots=True)
class Call:
    """What became of a call: requests made, the last answer, and what was learnt on the way.

    ``private`` gives the texts that no report of it may repeat.
    """

    tries: int = 0
    status: int | None = None
    request_id: str | None = None
    lessons: set[str] = field(default_factory=set)
    last_error: ProxyError | None = None
    private: Callable[[], Sequence[str]] = field(default=tuple, repr=False)


@mypyc_attr(native_class=False)
@dataclass(frozen=True, slots=True)
class Limits:
    """``timeout`` (s) for a call with all its tries; calls ``at_once``, paced below ``scarce`` of the rate limit."""

    timeout: float
    at_once: int = MOST
    scarce: float = SCARCE


class Endpoint:
    """``post`` is all that callers need; the parts are open for the status page."""

    def __init__(
        self,
        outbound: Outbound,
        find_url: Callable[[], Awaitable[str]],
        authentication: ClientAuthentication,
        *,
        limits: Limits,
        clock: Clock,
        dpop_key: DPoPKey | None = None,
        sleep: Sleep = asyncio.sleep,
        random: Random = jitter,
    ) -> None:
        self.breaker = Breaker(clock)
        self.gate = RateGate(clock, limits.scarce)
        self.bulkhead = Bulkhead(most=limits.at_once)
        self.nonces = Nonces()
        self.clock_offset = 0.0  # s: their clock less ours, where it mattered
        self._outbound = outbound
        self._find_url = find_url
        self._authentication = authentication
        self._timeout = limits.timeout
        self._clock = clock
        self._dpop_key = dpop_key
        self._sleep = sleep
        self._random = random
        self._first_proof = asyncio.Lock()
        self._answered_proof = False

    async def post(
        self, form: Form, *, asker: Hashable, has_user: bool = True, call: Call | None = None
    ) -> Mapping[str, Any]:
        """The JSON object of a 200 that is no error. Raises ExchangeError and what else a refusal means."""
        call = call or Call()
        self._check_admission(asker)
        try:
            with Deadline(self._timeout):
                return await self._post_in_turn(form, asker, has_user, call)
        except TimeoutError:
            if call.tries:
                self._count_failure(asker)
            raise call.last_error or self._describe_timeout(call) from None

    async def _post_in_turn(
        self, form: Form, asker: Hashable, has_user: bool, call: Call
    ) -> Mapping[str, Any]:
        await self.bulkhead.enter(asker)
        succeeded = False
        try:
            document = await self._try_again(form, asker, has_user, call)
            succeeded = True
        finally:
            self.bulkhead.leave(asker, grow=succeeded)
        return document

    async def _try_again(self, form: Form, asker: Hashable, has_user: bool, call: Call) -> Mapping[str, Any]:
        tries = 0
        while True:
            try:
                document = await self._try_once(form, has_user, call)
            except AuthorizationServerUnavailable as error:
                tries += 1
                if tries == TRIES or self.breaker.open or self.gate.closed_for():
                    self._count_failure(asker)
                    raise
                clear_tracebacks(error)
                call.last_error = error
            except ProxyError:
                if call.status is not None:
                    self.breaker.succeeded(asker)  # it is there, and says what it thinks of us
                raise
            else:
                self.breaker.succeeded(asker)
                return document
            await self._sleep(self._random() * BACKOFF * tries)

    async def _try_once(self, form: Form, has_user: bool, call: Call) -> Mapping[str, Any]:
        """One try, and one more for each lesson that the refusal teaches."""
        while True:
            await self._pace()
            url = await self._find_url()
            credentials = self._authenticate(url)
            answer = await self._send(url, form, credentials, call)
            document = answer.document
            if answer.status == 200 and document is not None and document.get("error") is None:
                self.gate.observe(answer)
                return document
            error = classify(answer, has_user=has_user, hide=_secrets(form, credentials, call))
            if error.own_remedy == CHECK_CLIENT:
                error.own_remedy = self._authentication.remedy
            self._hold_back(answer, error)
            lesson = self._learn(error, answer, url, credentials)
            if lesson is None or lesson in call.lessons:
                raise error
            call.lessons.add(lesson)

    async def _send(self, url: str, form: Form, credentials: Credentials, call: Call) -> Answer:
        """As long as no proof was ever answered one request goes first: its answer may bring the nonce."""
        if self._dpop_key is None or self._answered_proof:
            return await self._send_now(url, form, credentials, call)
        async with self._first_proof:
            if not self._answered_proof:
                answer = await self._send_now(url, form, credentials, call)
                self._answered_proof = True
                return answer
        return await self._send_now(url, form, credentials, call)

    async def _send_now(self, url: str, form: Form, credentials: Credentials, call: Call) -> Answer:
        headers = {}
        if credentials.authorization is not None:
            headers["Authorization"] = credentials.authorization
        if self._dpop_key is not None:
            nonce = self.nonces.find(url)
            headers["DPoP"] = self._dpop_key.proof("POST", url, nonce=nonce, now=self._server_time())
        call.tries += 1
        body = encode_form([*form, *credentials.form])
        answer = await self._outbound.submit(url, headers, body, certificate=credentials.certificate)
        call.status = answer.status
        call.request_id = answer.headers.get("x-okta-request-id")
        self.nonces.learn(url, answer.headers)
        return answer

    def _learn(self, error: ProxyError, answer: Answer, url: str, credentials: Credentials) -> str | None:
        """What another try would do better, if anything."""
        if error.oauth_error == "use_dpop_nonce" and "dpop-nonce" in answer.headers:
            return "nonce"
        if error.oauth_error not in ("invalid_client", "invalid_dpop_proof"):
            return None
        signed = credentials.signed or error.oauth_error == "invalid_dpop_proof"
        if signed and answer.date is not None and abs(answer.date - self._server_time()) > CLOCK_TOLERANCE:
            self.clock_offset = answer.date - self._clock.time()
            return "clock"
        if error.oauth_error == "invalid_client":
            self._authentication.refuse(credentials)
            if self._authenticate(url).source != credentials.source:
                return "credentials"
        return None

    def _authenticate(self, url: str) -> Credentials:
        try:
            return self._authentication.authenticate(url, self._server_time())
        except (OSError, ValueError) as error:
            why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else error
            raise ExchangeMisconfigured(
                f"our credentials cannot be read: {why}",
                remedy=CHECK_CLIENT,
                remember_for=10.0,
                remember_by="route",
            ) from None

    async def _pace(self) -> None:
        wait = self.gate.take_slot(self._timeout)
        if wait is None:
            raise self._throttled(self._timeout)
        if wait:
            await self._sleep(wait)
        if closed_for := self.gate.closed_for():
            raise self._throttled(closed_for)

    def _check_admission(self, asker: Hashable) -> None:
        if closed_for := self.gate.closed_for():
            raise self._throttled(closed_for)
        if wait := self.breaker.admit(asker):
            raise self._left_alone(wait)

    def _hold_back(self, answer: Answer, error: ProxyError) -> None:
        self.gate.observe(answer, per_user=is_per_user(error))
        if closed_for := self.gate.closed_for():
            self.bulkhead.turn_away(self._throttled(closed_for))
            if error.status == 503 and not is_per_user(error):
                error.retry_after = math.ceil(closed_for)

    def _count_failure(self, asker: Hashable) -> None:
        self.breaker.failed(asker)
        if self.breaker.open:
            self.bulkhead.turn_away(self._left_alone(PROBE_EVERY))
        else:
            self.bulkhead.turn_asker_away(asker, self._left_alone(PAUSE))

    def _server_time(self) -> float:
        return self._clock.time() + self.clock_offset

    def _describe_timeout(self, call: Call) -> ProxyError:
        if call.tries == 0:
            return AuthorizationServerUnavailable("no turn came within the time budget", retry_after=1.0)
        return AuthorizationServerTimeout(f"no whole answer within {self._timeout:g} s")

    def _throttled(self, seconds: float) -> ProxyError:
        return AuthorizationServerThrottled(
            "held back: the rate limit is spent", retry_after=math.ceil(seconds)
        )

    def _left_alone(self, seconds: float) -> ProxyError:
        why = "the breaker is open" if self.breaker.open else "the call before, for the same user, failed"
        return AuthorizationServerUnavailable(f"held back: {why}", retry_after=seconds)


def _secrets(form: Form, credentials: Credentials, call: Call) -> list[str]:
    """What the answer's texts might repeat; the longest first, for one may hold another."""
    found = [*call.private(), *(value for name, value in form if name in _SECRET_FIELDS and value)]
    if not credentials.signed:
        found.append(credentials.source.decode())
    return sorted(found, key=len, reverse=True)
