"""A worker that is not there, and a supervisor of such."""

from __future__ import annotations

from proxy.server.workers.asking import Answer, WorkerUnavailable
from proxy.server.workers.supervisor import Supervisor
from proxy.server.workers.tally import Tally

from ..test_serve import make_settings

METRICS = b"# TYPE obo_requests counter\nobo_requests_total 5.0\n"


class FakePlace:
    """A worker that gives ``answer``, or none; ``refusals`` are what it says where it does not do as it is told."""

    def __init__(self, number: int, answer: Answer | None = None, **refusals: str):
        self.number = number
        self.answer = answer
        self.refusals = refusals
        self.tally = Tally()
        self.restarts = 0
        self.serving = True
        self.asked: list[tuple[bytes, bytes, bytes]] = []
        self.fields: list[tuple[bytes, bytes]] = []  # of the last request
        self.told: list[tuple[str, int]] = []
        self.dies = False

    async def ask(self, method, target, headers, body, *, seconds):
        self.asked.append((method, target, body))
        self.fields = headers
        if self.answer is None:
            raise WorkerUnavailable("no answer in time")
        asked = self.restarts
        self.restarts += self.dies
        return self.answer, asked

    async def tell(self, word, settings):
        self.told.append((word, settings.cache.max_entries))
        return self.refusals.get(word)


def answer(body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, [*headers, (b"Content-Length", b"%d" % len(body))], body)


def make_supervisor(*places: FakePlace, load=make_settings, loaded=lambda _: None) -> Supervisor:
    supervisor = Supervisor(make_settings(workers=2), load, loaded)
    supervisor.places[:] = places
    return supervisor
