"""How ours grows: routes, cached users, idle connections, workers. Each is measured beside its small self."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.support.prover import Prover

from .load.idle import idle_connections
from .load.wrk import Load, run_wrk
from .peers.ours import Ours
from .processes import Running
from .quota import held
from .results import PROVEN, Sample
from .stage import Stage, raise_descriptor_limit
from .works import Scale, measure_requests

WORKER_PART = 0.3  # of a core


def routes(stage: Stage, scale: Scale) -> Iterator[Sample]:
    """The same hit where one route stands, and where a thousand do."""
    running = {
        f"{count:,} routes": stage.launch(Ours(routes=count), f"{count} routes") for count in (1, 1_000)
    }
    yield from _side_by_side("routes", running, Load(stage.token_file("hot", [stage.user])), scale)
    _stop(running)


def users(stage: Stage, scale: Scale) -> Iterator[Sample]:
    """Hits of one user, then of all in turn; what the others take in memory."""
    count = scale.cached_users
    running = stage.launch(Ours(max_entries=2 * count), "users")
    # Twice, so that both runs take the path of wrk's script that changes the token at every request.
    one = Load(stage.token_file("one", [stage.user, stage.user]))
    # ES256, for a hundred thousand RSA signatures take minutes to make.
    minted = list(stage.issuer.mint_many("cached", count, alg="ES256"))
    measure_requests(running, one, 1)
    before = running.memory()
    # As many as get in within a minute and a half.
    filled = run_wrk(running.port, Load(stage.token_file("everyone", minted), once=True), 90)
    known = min(count, int(filled["requests"]))
    memory = (running.memory() - before) / known
    everyone = Load(stage.token_file("everyone", minted[:known]))
    turn = _turn(scale)
    for _ in range(2 * scale.repetitions):
        yield Sample("users", "1 user", measure_requests(running, one, turn))
        figures = measure_requests(running, everyone, turn)
        yield Sample("users", f"{known:,} users", {**figures, "memory_each": memory})
    running.stop()


def idle(stage: Stage, scale: Scale) -> Iterator[Sample]:
    """The same hit beside connections that rest, and what each of these takes in memory."""
    # Ours keeps two descriptors back for each connection: for the upstream's side, and for one of its authorizer's.
    count = min(scale.idle, raise_descriptor_limit() // 3 - 500)
    running = stage.launch(Ours(), "idle")
    load = Load(stage.token_file("hot", [stage.user]))
    measure_requests(running, load, 1)
    before = running.memory()
    yield Sample("idle", "0 idle connections", measure_requests(running, load, scale.seconds))
    with idle_connections(running.port, "/small", stage.user, count):
        memory = (running.memory() - before) / count
        figures = measure_requests(running, load, scale.seconds)
    yield Sample("idle", f"{count:,} idle connections", {**figures, "memory_each": memory})
    running.stop()


def workers(stage: Stage, scale: Scale) -> Iterator[Sample]:
    """One worker and two, each held to a part of a core, that the load find its own even where there are two cores."""
    everywhere = stage.around.cores | os.sched_getaffinity(0)
    running = {
        f"{n} workers": stage.launch(Ours(workers=n), f"{n} workers", cores=everywhere) for n in (1, 2)
    }
    load = Load(stage.token_file("hot", [stage.user]))
    for one in running.values():
        measure_requests(one, load, 1)
    # With two workers there is a third process, which deals connections out and is at rest now.
    busiest = [process for n, one in enumerate(running.values(), 1) for process in one.busiest(n)]
    with held(busiest, WORKER_PART):
        yield from _side_by_side("workers", running, load, scale)
    _stop(running)


def proofs(stage: Stage, scale: Scale) -> Iterator[Sample]:
    """The same hit by a bearer token, and by one that is bound to a key: each request brings a proof of its own."""
    url, prover = "https://api.example.com", Prover()
    running = stage.launch(Ours(external_url=url), "proofs")
    bearer = Load(stage.token_file("hot", [stage.user]))
    bound = stage.issuer.mint("bound@example.com", **prover.confirmation)
    measure_requests(running, bearer, 1)
    for _ in range(scale.repetitions):
        yield Sample("proofs", "bearer tokens", measure_requests(running, bearer, scale.seconds))
        lines = [f"{bound}\t{prover.prove(url + bearer.path, bound)}" for _ in range(scale.new_users)]
        load = Load(stage.token_file("bound", lines), once=True)
        yield Sample("proofs", PROVEN, measure_requests(running, load, 20))
    running.stop()


def _side_by_side(work: str, running: dict[str, Running], load: Load, scale: Scale) -> Iterator[Sample]:
    # Short turns, and by turns first: what differs here is less than what a machine differs from itself.
    names, turn = list(running), _turn(scale)
    for _ in range(2 * scale.repetitions):
        for name in names:
            yield Sample(work, name, measure_requests(running[name], load, turn))
        names.reverse()


def _turn(scale: Scale) -> float:
    """Seconds; wrk counts whole ones."""
    return max(1.0, scale.seconds / 2)


def _stop(running: dict[str, Running]) -> None:
    for one in running.values():
        one.stop()


# The longest last, should time run out.
GROWTH = {"routes": routes, "proofs": proofs, "workers": workers, "idle": idle, "users": users}
