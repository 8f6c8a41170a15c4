"""The admin port of several workers: what is counted is added up, the rest is one worker's answer.

Who may ask for what is decided where it is in a single process, in the worker: it sees the request's own headers,
and an answer that refuses is passed on as it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ...http.asgi import ASGIApp, Receive, Scope, Send
from ...http.headers import Field
from ...runtime import Late
from ..handover import SUPERVISOR_ADDRESS
from .asking import Answer, WorkerUnavailable
from .merging import add_up, merge_readiness
from .place import Place
from .tally import Counts

if TYPE_CHECKING:
    from .scrape import Scrape

_OF_ONE_CONNECTION = frozenset(
    {b"connection", b"expect", b"keep-alive", b"te", b"transfer-encoding", b"upgrade"}
)
_NO_HOST = b"invalid"  # nobody's (RFC 6761 §6.4): HTTP/1.0 does without, and workers are asked by HTTP/1.1
_MAX_BODY = 1 << 20  # bytes
_COUNT_TIMEOUT = 2.0  # s: a scrape must not hang on one worker
_TIMEOUT = 60.0  # s: an inspection makes a whole exchange

Answers = Mapping[int, Answer]
Message = tuple[bytes, bytes, list[Field], bytes]


class Supervising(Protocol):
    """What the admin side asks of a supervisor."""

    draining: bool

    @property
    def places(self) -> Sequence[Place]:
        """Where workers run, whether or not one does now."""
        ...

    @property
    def serving(self) -> set[int]:
        """The numbers of the workers that serve now."""
        ...

    def count(self) -> Counts:
        """What the supervisor itself counts."""
        ...


def build_supervisor_admin(supervisor: Supervising) -> ASGIApp:
    """The ASGI app of the supervisor's admin port: without a framework, which its process has no other use for."""
    admin = _SupervisorAdmin(supervisor)
    routes = {
        ("GET", "/healthz"): admin.healthz,
        ("GET", "/readyz"): admin.readyz,
        ("GET", "/metrics"): admin.metrics,
        ("GET", "/api/status"): admin.status,
        ("POST", "/api/purge"): admin.purge,
        ("POST", "/purge"): admin.tell_all,
        ("POST", "/api/backchannel-logout"): admin.log_out,
    }

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        message = await _read(scope, receive)
        if message is None:
            return
        whole = await routes.get((message[0].decode(), scope["path"]), admin.pass_on)(message)
        await send({"type": "http.response.start", "status": whole.status, "headers": whole.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else whole.body})

    return answer


class _SupervisorAdmin:
    def __init__(self, supervisor: Supervising) -> None:
        self._supervisor = supervisor
        self._scrape = Late(_load_scrape)
        self._scraping = asyncio.Lock()  # an older count must not replace a newer one

    async def healthz(self, _: Message) -> Answer:
        return _answer_json({"status": "ok"})

    async def readyz(self, message: Message) -> Answer:
        if self._supervisor.draining:
            return _answer_json({"status": "draining", "reasons": ["shutting down"]}, 503)
        answers, missing = await self._ask_all(message, _COUNT_TIMEOUT)
        read = {number: (answer.status, json.loads(answer.body)) for number, answer in answers.items()}
        status, merged = merge_readiness(read, missing)
        return _answer_json(merged, status)

    async def metrics(self, message: Message) -> Answer:
        scrape = await self._scrape.get()
        async with self._scraping:
            answers, _ = await self._ask_all(message, _COUNT_TIMEOUT, scrape)
            if (other := _find_other(answers)) is not None:
                return other
            tallies = {str(place.number): place.tally for place in self._supervisor.places}
            merged = scrape.merge(self._supervisor.count(), tallies)
        return _relay(next(iter(answers.values())), await scrape.write(merged))

    async def purge(self, message: Message) -> Answer:
        answers, missing = await self._ask_all(message, _TIMEOUT)
        read = {number: _read_purged(answer) for number, answer in answers.items()}
        if not answers or None in read.values():
            refused = (answers[number] for number, purged in read.items() if purged is None)
            return next(map(_relay, refused), _answer_missing())
        total = add_up(filter(None, read.values()))
        # One that is only starting has nothing cached; one that serves and did not answer may still have.
        unsure = self._supervisor.serving & missing.keys()
        owed = any(answer.status != 200 for answer in answers.values())
        return _answer_json(total | ({"missing": missing} if unsure else {}), 503 if unsure or owed else 200)

    async def tell_all(self, message: Message) -> Answer:
        """A form that all workers that serve must see; the answer is the first one's, or the worst."""
        return await self._find_worst(message) or _answer_missing()

    async def log_out(self, message: Message) -> Answer:
        """A failure is a 400 (Back-Channel Logout 1.0 §2.8), also that of a worker to answer."""
        failure = {"error": "invalid_request", "error_description": "a worker does not answer"}
        answer = await self._find_worst(message)
        return answer or _answer_json(failure, 400, (b"cache-control", b"no-store"))

    async def _find_worst(self, message: Message) -> Answer | None:
        """The answer by the highest status; None where one that serves gives none."""
        answers, missing = await self._ask_all(message, _TIMEOUT)
        if not answers or self._supervisor.serving & missing.keys():
            return None
        return _relay(max(answers.values(), key=lambda answer: answer.status))

    async def status(self, message: Message) -> Answer:
        """One worker's view, and whose it is."""
        number, answer = await self._ask_first(message)
        if answer is None or answer.status != 200:
            return _answer_missing() if answer is None else _relay(answer)
        seen = json.loads(answer.body) | {"worker": number, "workers": len(self._supervisor.places)}
        return _relay(answer, json.dumps(seen).encode())

    async def pass_on(self, message: Message) -> Answer:
        _, answer = await self._ask_first(message)
        return _answer_missing() if answer is None else _relay(answer)

    async def _ask_first(self, message: Message) -> tuple[int, Answer | None]:
        """Always the same one while it serves: plots over time are one worker's."""
        for place in self._supervisor.places:
            try:
                answer, _ = await place.ask(*message, seconds=_TIMEOUT)
            except WorkerUnavailable:
                continue
            return place.number, answer
        return 0, None

    async def _ask_all(
        self, message: Message, seconds: float, scrape: Scrape | None = None
    ) -> tuple[Answers, dict[int, str]]:
        """Answers by worker, and why there is none; ``scrape`` sees metrics for the workers' tallies."""
        answers: dict[int, Answer] = {}
        missing: dict[int, str] = {}

        async def ask(place: Any) -> None:
            try:
                answer, asked = await place.ask(*message, seconds=seconds)
            except WorkerUnavailable as error:
                missing[place.number] = str(error)
                return
            answers[place.number] = answer
            if scrape and answer.status == 200 and asked == place.restarts and place.serving:
                scrape.see(place.tally, answer.body.decode())

        await asyncio.gather(*map(ask, self._supervisor.places))
        return answers, missing


def _load_scrape() -> Scrape:
    """With the library that reads and writes metrics, which a supervisor that nobody asks for them does without."""
    from .scrape import Scrape  # noqa: PLC0415

    return Scrape()


async def _read(scope: Scope, receive: Receive) -> Message | None:
    """Method, target, field lines and body, as the worker is to see them; None where the caller has left.

    A HEAD goes on as a GET: what answers it is read out of the workers' bodies.
    """
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    host, port = scope["server"]
    body, more = b"", True
    while more and len(body) <= _MAX_BODY:  # more than any worker takes; it says so
        piece = await receive()
        if piece["type"] == "http.disconnect":
            return None
        body += piece.get("body", b"")
        more = piece.get("more_body", False)
    own = _OF_ONE_CONNECTION | {b"content-length", SUPERVISOR_ADDRESS}
    headers = [(name, value) for name, value in scope["headers"] if name not in own]
    headers.append((SUPERVISOR_ADDRESS, f"{host}:{port}".encode()))
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", _NO_HOST))
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return method.encode(), scope["raw_path"] + query, headers, body


def _read_purged(answer: Answer) -> dict[str, Any] | None:
    """What a worker has purged, though it may owe it to other replicas; None where it has not."""
    if answer.status not in (200, 503):
        return None
    try:
        read = json.loads(answer.body)
    except ValueError:
        return None
    return read if isinstance(read, dict) and "purged" in read else None


def _find_other(answers: Answers) -> Answer | None:
    """What is to be answered instead where not every worker, or none, did as asked."""
    if not answers:
        return _answer_missing()
    return next((_relay(answer) for answer in answers.values() if answer.status != 200), None)


def _relay(answer: Answer, body: bytes | None = None) -> Answer:
    """``answer`` as it came, with another body where one is given."""
    headers = [(name.lower(), value) for name, value in answer.headers]
    whole = answer.body if body is None else body
    if body is not None or any(name == b"transfer-encoding" for name, _ in headers):
        headers = [field for field in headers if field[0] != b"content-length"]
        headers.append((b"content-length", b"%d" % len(whole)))
    # Otherwise the length is its own, which for 304 is not that of its body.
    return Answer(answer.status, [field for field in headers if field[0] not in _OF_ONE_CONNECTION], whole)


def _answer_missing() -> Answer:
    return _answer_json({"status": "unready", "reasons": ["a worker does not answer"]}, 503)


def _answer_json(value: Any, status: int = 200, *fields: Field) -> Answer:
    body = json.dumps(value).encode()
    length = b"%d" % len(body)
    return Answer(
        status, [(b"content-type", b"application/json"), (b"content-length", length), *fields], body
    )
