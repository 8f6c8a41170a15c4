"""The image and the compose file on a Docker engine; nginx and Valkey are Debian's, not the published images."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator

import grpc
import httpx
import pytest

from .engine import GRPC_SAMPLE, IMAGE, STAND_INS, Stack, build, docker, inspect, is_there, run_stack
from .files import ROOT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not is_there(), reason="no Docker engine with compose answers"),
]
CONFINED = ("run", "--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
USERS = 200


@pytest.fixture(scope="module")
def image() -> str:
    return build(IMAGE, ROOT)


@pytest.fixture(scope="module")
def demo(image: str) -> Iterator[Stack]:
    with run_stack(image) as stack:
        yield stack


def get(url: str, token: str) -> httpx.Response:
    return httpx.get(url, headers={"authorization": f"Bearer {token}"}, timeout=30)


def test_the_image_runs_confined(image: str) -> None:
    """Without privilege or anything to write to; its version is the one it was built as."""
    assert docker(*CONFINED, image, "--version") == "obo-proxy 1.2.3"


def test_the_last_stage_has_no_compiler_and_no_installer_in_the_environment(image: str) -> None:
    """What builds stays behind."""
    looked_for = "command -v cc gcc make git; ls /opt/obo-proxy/bin | grep -x pip"
    assert docker(*CONFINED, "--entrypoint", "sh", image, "-c", looked_for, check=False) == ""


def test_all_bytecode_is_there(image: str) -> None:
    """A start compiles nothing, for it could not keep it."""
    count = "find /opt/obo-proxy/lib -path '*/proxy/*' -name '*.py{}' | wc -l"
    shown = [docker(*CONFINED, "--entrypoint", "sh", image, "-c", count.format(end)) for end in ("", "c")]
    assert shown[0] == shown[1] != "0"


def test_the_demo_answers_on_alices_behalf(demo: Stack) -> None:
    """A token from within, a request from outside."""
    token = demo.compose("exec", "-T", "authorization-server", "obo-proxy", "demo", "token", "alice")
    answer = get(f"{demo.proxy}/orders/1", token)
    assert (answer.status_code, answer.json()["on_behalf_of"]) == (200, "alice")
    assert httpx.get(f"{demo.proxy}/orders/1").status_code == 401


def test_the_image_as_it_is_serves_with_its_admin_side_on_loopback(image: str) -> None:
    """Its own health check finds it; where the admin side is opened, a token must be named."""
    asked = (
        "OBO_UPSTREAM=http://127.0.0.1:9",
        "OBO_ISSUER=https://issuer.invalid",
        "OBO_EXPECTED_AUDIENCE=a",
    )
    client = ("OBO_CLIENT_ID=a", "OBO_CLIENT_SECRET=a", "OBO_AUDIENCE=a")
    environment = [word for pair in (*asked, *client) for word in ("--env", pair)]
    container = docker("run", "--detach", *CONFINED[2:], *environment, image)
    try:
        healthy = "for _ in $(seq 50); do obo-proxy healthcheck 2>/dev/null && exit; sleep 0.2; done; exit 1"
        docker("exec", container, "sh", "-c", healthy)
    finally:
        docker("rm", "--force", container)
    with pytest.raises(
        AssertionError, match=r"OBO_ADMIN_TOKEN_FILE: required where admin.host is not loopback"
    ):
        docker(*CONFINED, *environment, "--env", "OBO_ADMIN_HOST=0.0.0.0", image)


def test_the_admin_side_asks_for_its_token(demo: Stack) -> None:
    """Health is everybody's; the rest is for who has the secret."""
    assert httpx.get(f"{demo.admin}/healthz").status_code == 200
    for path in ("/", "/metrics", "/api/config"):
        assert httpx.get(f"{demo.admin}{path}").status_code == 401
        assert get(f"{demo.admin}{path}", "demo-admin-token").status_code == 200


def test_it_runs_as_nobody_with_nothing_to_write_to(demo: Stack) -> None:
    """The kernel's own view of the first process."""
    (proxy,) = demo.ids("proxy")
    status = docker("exec", proxy, "cat", "/proc/1/status")
    assert "Uid:\t65532\t65532\t65532\t65532" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    touched = docker("exec", proxy, "sh", "-c", "touch /x /opt/obo-proxy/x 2>/dev/null || echo refused")
    assert touched == "refused"


def test_the_api_cannot_be_reached_around_the_proxy(demo: Stack) -> None:
    """Nobody on its network connects to its port."""
    (neighbour,) = demo.ids("authorization-server")
    attempt = "import socket\ntry: socket.create_connection(('orders-api', {}), 3)\nexcept OSError: print('refused')"
    assert docker("exec", neighbour, "python", "-c", attempt.format(8082)) == "refused"
    assert docker("exec", neighbour, "python", "-c", attempt.format(8080)) == ""


def test_a_stop_drains(demo: Stack) -> None:
    """F-34: what has begun is finished within the grace, and the exit is 0."""
    (proxy,) = demo.ids("proxy")
    token = demo.token("bob")
    events = f"{demo.proxy}/orders/events?count=4&interval=0.5"
    with httpx.stream("GET", events, headers={"authorization": f"Bearer {token}"}, timeout=30) as answer:
        pieces = answer.iter_text()
        received = next(pieces)
        stopping = threading.Thread(target=docker, args=("stop", "--time", "35", proxy))
        stopping.start()
        received += "".join(pieces)
    stopping.join()
    assert received.count("data:") == 4
    state = inspect(proxy)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


def test_a_gateway_asks_the_authorizer(image: str) -> None:
    """nginx by the shipped configuration: the API sees the exchanged token, and nobody comes without one."""
    stand_ins = build(STAND_INS, ROOT / "tests" / "shipping" / "stand_ins")
    with run_stack(image, "authorizer", stand_ins) as stack:
        token = stack.token("alice")
        answer = get(f"{stack.gateway}/orders/1", token)
        assert (answer.status_code, answer.json()["on_behalf_of"]) == (200, "alice")
        assert token not in answer.text
        refused = httpx.get(f"{stack.gateway}/orders/1")
        assert (refused.status_code, refused.json()["code"]) == (401, "subject_token_missing")


async def test_replicas_share_and_their_loss_fails_nobody(image: str) -> None:
    """C-22: one exchange a user over three replicas; then one is killed under load, and then the shared cache."""
    stand_ins = await asyncio.to_thread(build, STAND_INS, ROOT / "tests" / "shipping" / "stand_ins")
    with run_stack(image, "scale", stand_ins) as stack:
        replicas = stack.ids("replica")
        assert len(replicas) == 3
        tokens = {f"user{number}": stack.token(f"user{number}") for number in range(USERS)}
        async with httpx.AsyncClient(base_url=stack.balanced, timeout=30) as client:
            assert await _ask_for_all(client, tokens, rounds=3) == {"ok": 3 * USERS}
            assert stack.count_exchanges(replicas) == USERS
            loaded = asyncio.create_task(_ask_for_all(client, tokens, rounds=8))
            await asyncio.to_thread(docker, "kill", replicas[0])
            await asyncio.to_thread(stack.compose, "kill", "valkey")
            assert not loaded.done()
            assert await loaded == {"ok": 8 * USERS}


async def _ask_for_all(client: httpx.AsyncClient, tokens: dict[str, str], *, rounds: int) -> Counter[str]:
    """How often each outcome came: "ok", or what went wrong. Each user's requests follow one another at once."""
    outcomes: Counter[str] = Counter()
    waiting = iter([user for user in tokens for _ in range(rounds)])

    async def ask() -> None:
        for user in waiting:
            try:
                answer = await client.get("/orders/1", headers={"authorization": f"Bearer {tokens[user]}"})
                served = answer.status_code == 200 and answer.json()["on_behalf_of"] == user
                outcomes["ok" if served else f"{answer.status_code} {answer.text[:200]}"] += 1
            except httpx.HTTPError as error:
                outcomes[repr(error)] += 1

    # Few enough that the store answers within its budget also where everything shares two cores.
    await asyncio.gather(*(ask() for _ in range(6)))
    return outcomes


def test_a_grpc_api_is_called_on_alices_behalf(image: str) -> None:
    """Profile grpc: HTTP/2 on both sides; without a token the call is refused in gRPC's own terms."""
    build(GRPC_SAMPLE, ROOT / "config" / "compose" / "grpc")
    with run_stack(image, "grpc") as stack, grpc.insecure_channel(stack.grpc) as channel:
        get_order = channel.unary_unary("/orders.v1.Orders/Get")
        order = b"\x0a\x017"  # id: "7"
        with pytest.raises(grpc.RpcError) as refused:
            get_order(order, timeout=30)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        answer = get_order(order, timeout=30, metadata=[("authorization", f"Bearer {stack.token('alice')}")])
    assert b"alice" in answer
