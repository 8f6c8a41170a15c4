"""The supervisor's admin port, whose workers are not there, do not answer or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from proxy.server.workers.admin import build_supervisor_admin
from proxy.server.workers.asking import Answer

from .fakes import METRICS, FakePlace, answer, make_supervisor


def asking(*places: FakePlace) -> httpx.AsyncClient:
    app = build_supervisor_admin(make_supervisor(*places))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:9090")


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/", "/api/status", "/api/config"])
async def test_without_workers_nothing_is_answered_but_that_we_live(path: str):
    """503 with the reason, and no traceback."""
    async with asking(FakePlace(1), FakePlace(2)) as client:
        assert (await client.get("/healthz")).status_code == 200
        response = await client.get(path)
        assert response.status_code == 503
        assert response.json()["status"] == "unready"
        for form in ("/purge", "/api/purge"):
            assert (await client.post(form)).status_code == 503


async def test_a_purge_that_a_worker_may_have_missed_is_no_success():
    """What was purged is told, and who has not answered."""
    async with asking(FakePlace(1, answer(b'{"purged":3}')), silent := FakePlace(2)) as client:
        response = await client.post("/api/purge", json={})
        assert (response.status_code, response.json()) == (
            503,
            {"purged": 3, "missing": {"2": "no answer in time"}},
        )
    silent.serving = False
    async with asking(FakePlace(1, answer(b'{"purged":3}')), silent) as client:
        response = await client.post("/api/purge", json={})
        assert (response.status_code, response.json()) == (200, {"purged": 3}), "who starts has nothing"


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ((answer(b'{"purged":3}'), answer(b'{"purged":1}')), 200, {"purged": 4}),
        (
            (answer(b'{"purged":3}'), answer(b'{"purged":1,"shared":"away"}', 503)),
            503,
            {"purged": 4, "shared": "away"},
        ),
        ((answer(b'{"purged":3}'), answer(b'{"status":401}', 401)), 401, {"status": 401}),
        ((answer(b'{"purged":3}'), answer(b'{"status":503}', 503)), 503, {"status": 503}),
        ((answer(b'{"purged":3}'), answer(b'"overloaded"', 503)), 503, "overloaded"),
    ],
    ids=["all", "one owes it", "one lets nobody in", "one has no token file", "one is overloaded"],
)
async def test_a_purge_is_as_good_as_its_worst_worker(
    answers: tuple[Answer, Answer], status: int, said: object
):
    """C-25: what each has purged is added up, and told with what one of them could not do."""
    async with asking(*map(FakePlace, (1, 2), answers)) as client:
        response = await client.post("/api/purge", json={})
        assert (response.status_code, response.json()) == (status, said)


@pytest.mark.parametrize(("path", "failure"), [("/purge", 503), ("/api/backchannel-logout", 400)])
async def test_a_form_that_drops_tokens_reaches_all(path: str, failure: int):
    """Each worker sees its fields; the answer is a worker's."""
    places = [FakePlace(number, answer(b"done", 200 + number)) for number in (1, 2)]
    async with asking(*places) as client:
        assert (await client.post(path, data={"subject": "a"})).status_code == 202
        assert [place.asked for place in places] == [[(b"POST", path.encode(), b"subject=a")]] * 2
    async with asking(places[0], FakePlace(2)) as client:
        missed = await client.post(path, data={"subject": "a"})
        assert missed.status_code == failure, "one may have missed it"
        assert failure == 503 or missed.headers["cache-control"] == "no-store"


async def test_the_next_worker_answers_where_the_first_does_not():
    """Its answer as it came: repeated fields, no field of the connection, a length for what had none."""
    fields = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"connection", b"close")]
    chunked = Answer(404, [*fields, (b"transfer-encoding", b"chunked")], b"hi")
    async with asking(FakePlace(1), FakePlace(2, chunked)) as client:
        response = await client.get("/nowhere%20?a")
        assert (response.status_code, response.content) == (404, b"hi")
        assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert response.headers["content-length"] == "2"
        assert not {"connection", "transfer-encoding"} & set(response.headers)


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/api/status", "/nowhere"])
async def test_who_wants_the_head_alone_gets_that_of_the_whole(path: str):
    """RFC 9110 §9.3.2: load balancers ask so. Workers are asked for it all, of which their counts are read."""
    body = METRICS if path == "/metrics" else b'{"reasons":[]}'
    async with asking(place := FakePlace(1, answer(body))) as client:
        head = await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) >= len(body)
    assert [method for method, _, _ in place.asked] == [b"GET"]


async def test_who_names_no_host_asks_as_in_a_single_process():
    """HTTP/1.0, as some load balancers speak: whether we are ready is told, and nothing that needs a name of ours."""
    async with asking(place := FakePlace(1, answer(b'{"reasons":[]}'))) as client:
        request = client.build_request("GET", "/readyz")
        del request.headers["host"]
        assert (await client.send(request)).status_code == 200
        assert (b"host", b"invalid") in place.fields


async def test_what_a_dead_process_counted_last_is_not_taken_for_its_successors():
    """An answer that was under way when its process was replaced is counted nowhere."""
    live, dead = FakePlace(1, answer(METRICS)), FakePlace(2, answer(METRICS))
    dead.dies = True
    async with asking(live, dead) as client:
        assert "obo_requests_total 5.0" in (await client.get("/metrics")).text


async def test_a_scrape_whose_body_is_slow_holds_up_no_other():
    """O-03: anybody who reaches the port may begin one."""
    begun = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.set()
        await asyncio.Event().wait()
        yield b""

    async with asking(FakePlace(1, answer(METRICS))) as client:
        slow = asyncio.create_task(client.request("GET", "/metrics", content=slowly()))
        await begun.wait()
        async with asyncio.timeout(5):
            assert (await client.get("/metrics")).status_code == 200
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
