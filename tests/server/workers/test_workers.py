"""Several workers over one port, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from proxy.demo import Demo
from tests.support.proxy import PLAIN
from tests.support.raw_client import RawClient, connected
from tests.support.served import Served, serving, write

# That of the test: the workers choose theirs themselves.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])


def build_request(path: str, token: str, **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: proxy", f"Authorization: Bearer {token}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def ask(client: RawClient, path: str, token: str) -> int:
    await client.send(build_request(path, token))
    return (await client.response()).status


async def ask_each(served: Served, number: int, path: str, token: str) -> Counter[int]:
    """Statuses of one request on each of ``number`` new connections: as many workers answer."""
    statuses: Counter[int] = Counter()
    for _ in range(number):
        async with connected(served.address) as client:
            statuses[await ask(client, path, token)] += 1
    return statuses


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.05)


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


async def test_four_workers_keep_users_apart_and_their_counts_add_up(demo: Demo, tmp_path: Path):
    """C-05, C-23, O-03: 200 users over four workers: dealt evenly, counted exactly, purged everywhere.

    And however the supervisor ends, none of them keeps the port.
    """
    chance = random.Random(23)
    tokens = {f"user{number}": demo.mint(f"user{number}") for number in range(200)}
    calls = [call for call in tokens.items() for _ in range(3)]
    chance.shuffle(calls)
    total = len(calls)
    path = write(
        tmp_path / "obo.yaml", demo.settings(cache={"max_entries": 8}, log={"access": True}), workers=4
    )

    async def work(served: Served) -> None:
        async with connected(served.address) as client:
            for _ in range(total // 40):
                user, token = calls.pop()
                await client.send(build_request("/orders", token, X_Expected_User=user))
                answer = await client.response()
                assert answer.status == 200
                seen = json.loads(answer.body)
                assert seen["on_behalf_of"] == user == seen["headers"]["x-expected-user"]

    async with serving(path) as served:
        await asyncio.gather(*(work(served) for _ in range(40)))
        by_worker = Counter(line["worker"] for line in await served.find("request", times=total))
        assert by_worker == dict.fromkeys((1, 2, 3, 4), total // 4)
        assert await served.count("obo_requests_total", route="orders", status="200") == total
        assert await served.count("obo_request_duration_seconds_count", route="orders") == total
        assert await served.count("obo_request_duration_seconds_bucket", route="orders", le="+Inf") == total
        assert await served.count("obo_token_cache_lookups_total") == total
        assert (
            await served.count("obo_exchanges_total", outcome="ok")
            == demo.calls["token_exchange"]
            == demo.calls["token"]
        )
        assert await served.count("obo_token_cache_entries") == 4 * 8
        for worker in ("supervisor", "1", "2", "3", "4"):
            assert await served.count("process_resident_memory_bytes", worker=worker) > 1 << 20

        alice, before = demo.mint("alice"), demo.calls["token_exchange"]
        assert await ask_each(served, 8, "/orders", alice) == {200: 8}
        assert demo.calls["token_exchange"] == before + 4, "one cache for each worker"
        purged = await served.admin.post("/api/purge", json={"issuer": demo.issuer(), "subject": "alice"})
        assert purged.json() == {"purged": 4}
        assert await ask_each(served, 4, "/orders", alice) == {200: 4}
        assert demo.calls["token_exchange"] == before + 8

        pids = [line["pid"] for line in await served.find("worker serving", times=4)]
        served.signal(signal.SIGKILL)
        assert await served.wait() == -signal.SIGKILL
        await until(lambda: all(map(is_gone, pids)))
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection(*served.address)


async def test_a_dead_worker_is_replaced_and_all_go_by_one_configuration(demo: Demo, tmp_path: Path):
    """F-39: nothing counted is lost to readers, SIGHUP reaches all, a bad file none, nor who starts after it."""
    raw = demo.settings()
    path = write(tmp_path / "obo.yaml", raw, workers=2)
    token = demo.mint("alice")
    async with serving(path) as served:
        pids = {line["worker"]: line["pid"] for line in await served.find("worker serving", times=2)}
        assert await ask_each(served, 2, "/new", token) == {404: 2}
        raw["routes"].append({**raw["routes"][-1], "name": "new", "path": "/new"})
        write(path, raw, workers=2)
        served.signal(signal.SIGHUP)
        await served.find("configuration loaded again")
        assert await ask_each(served, 2, "/new", token) == {200: 2}

        path.write_text("routes: []\n")
        served.signal(signal.SIGHUP)
        (failed,) = await served.find("reload failed")
        assert failed["reason"] == "routes: needs at least 1 entry"
        assert await served.count("obo_config_reloads_total", outcome="success") == 1
        assert await served.count("obo_config_reloads_total", outcome="failure") == 1

        assert await served.count("obo_requests_total") == 4
        os.kill(pids[2], signal.SIGKILL)
        (ended,) = await served.find("worker ended", worker=2)
        assert ended["exit_status"] == -signal.SIGKILL
        assert await ask_each(served, 2, "/new", token) == {200: 2}, "the other one has them meanwhile"
        assert await served.count("obo_requests_total") == 6
        await served.find("worker serving", worker=2, times=2)
        assert await ask_each(served, 2, "/new", token) == {200: 2}, "it goes by what the others go by"
        assert await served.count("obo_requests_total") == 8
        assert await served.count("obo_worker_restarts_total", worker="2") == 1

        demo.faults.hold("api")
        async with connected(served.address) as client:
            began = demo.api_calls["api"]
            await client.send(build_request("/orders", token))
            await demo.api_calls.reach("api", began + 1)
            served.signal(signal.SIGTERM)
            await served.find("draining")
            assert (await served.admin.get("/readyz")).status_code == 503
            demo.faults.release("api")
            assert (await client.response()).status == 200
        assert await served.wait() == 0
    assert served.words == []


LET_IN = {"Authorization": "Bearer canary-admin"}
ADMIN_RULES = [
    ("GET", "/healthz", {}, 200),
    ("GET", "/readyz", {}, 200),
    ("GET", "/metrics", {}, 401),
    ("GET", "/metrics", LET_IN, 200),
    ("GET", "/api/status", {}, 401),
    ("GET", "/", LET_IN, 200),
    *(("HEAD", path, LET_IN, 200) for path in ("/", "/healthz", "/readyz", "/metrics", "/api/status")),
    ("GET", "/nowhere", LET_IN, 404),
    ("GET", "/", LET_IN | {"Host": "elsewhere.example"}, 421),
    ("GET", "/", LET_IN | {"Host": "elsewhere.example:1", "X-Obo-Supervisor-Address": "elsewhere.example:1"}, 421),
    ("POST", "/api/purge", LET_IN | {"Origin": "https://elsewhere.example"}, 403),
    ("POST", "/api/purge", {}, 401),
]  # fmt: skip


async def test_the_admin_sides_rules_hold_and_a_second_signal_ends_a_drain(demo: Demo, tmp_path: Path):
    """F-34: at once, what is running is cut. A signal to a worker itself, as from a whole group's, says nothing."""
    secret = tmp_path / "admin-token"
    secret.write_text("canary-admin")
    secret.chmod(0o600)
    admin = {"host": "0.0.0.0", "token_file": str(secret)}
    path = write(tmp_path / "obo.yaml", demo.settings(admin=admin), workers=2, drain_timeout="300s")
    demo.faults.hold("api")
    async with serving(path) as served, connected(served.address) as client:
        for method, target, headers, status in ADMIN_RULES:
            answer = await served.admin.request(method, target, headers=headers)
            assert (target, answer.status_code) == (target, status)
        own = {"Host": f"127.0.0.2:{served.admin.base_url.port}"}
        url = f"http://127.0.0.2:{served.admin.base_url.port}/api/status"
        seen = (await served.admin.get(url, headers=own | LET_IN)).json()
        assert (seen["worker"], seen["workers"]) == (1, 2)

        await client.send(build_request("/orders", demo.mint("alice")))
        await demo.api_calls.reach("api", 1)
        for line in await served.find("worker serving", times=2):
            os.kill(line["pid"], signal.SIGTERM)
        served.signal(signal.SIGINT)
        await served.find("draining")
        served.signal(signal.SIGINT)
        assert await client.rest() == b""
        assert await served.wait() == 0
    demo.faults.release("api")


async def test_a_port_that_is_taken(demo: Demo, tmp_path: Path):
    """One line, and 1, before any worker is started."""
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    path = write(tmp_path / "obo.yaml", demo.settings(), workers=2, port=port)
    with pytest.raises(AssertionError, match="obo-proxy: cannot serve: "):
        async with serving(path):
            raise LookupError
    blocker.close()
    await blocker.wait_closed()


@pytest.mark.parametrize("on_a_socket", [False, True])
async def test_gateways_ask_all_workers_in_turn(demo: Demo, tmp_path: Path, on_a_socket: bool):
    """Their connections are dealt as callers' are, and a drain lets them finish."""
    host = f"unix:{tmp_path / 'obo.sock'}" if on_a_socket else "127.0.0.1"
    raw = demo.settings(authorizer={"host": host, "port": 0}, log={"access": True})
    async with serving(write(tmp_path / "obo.yaml", raw, workers=2)) as served:
        (line,) = await served.find("serving")
        transport = httpx.AsyncHTTPTransport(uds=line["authorizer"] if on_a_socket else None, verify=PLAIN)
        url = "http://localhost" if on_a_socket else f"http://{line['authorizer']}"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            headers = {"Authorization": f"Bearer {demo.mint('alice')}", "Connection": "close"}
            for _ in range(4):
                answer = await client.get("/envoy/orders/1", headers=headers)
                assert answer.headers["authorization"].startswith("Bearer ")
        lines = await served.find("request", times=4, dialect="envoy")
        assert Counter(line["worker"] for line in lines) == {1: 2, 2: 2}
        assert await served.count("obo_requests_total", dialect="envoy", route="orders", status="200") == 4
        served.signal(signal.SIGTERM)
        assert await served.wait() == 0
