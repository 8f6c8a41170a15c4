"""``python -m tests.benchmarks.grpc [--rounds N] [--seconds S]``: unary gRPC calls, beside Envoy with ``jwt_authn``.

h2load (Debian's nghttp2-client) calls through each in turn, an upstream by Go answers. What counts is the CPU time that
a proxy spends on a call; both sides speak HTTP/2 in clear.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.interop.packages import build_go

from . import processes
from .load.transfer import get
from .peers import Surroundings
from .peers.envoy import Envoy
from .peers.ours import Ours
from .stage import APPS, Stage, build_stage

CONNECTIONS, AT_ONCE = 4, 8
MESSAGE = b"\0\0\0\0\x05hello"
CALL = "/orders.v1.Orders/Get"
HTTP2 = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class OursWithHttp2(Ours):
    def _configuration(self, around: Surroundings, port: int) -> dict:
        raw = super()._configuration(around, port)
        raw["listen"]["http2"] = True
        return raw

    def _route(self, name: str, path: str, around: Surroundings) -> dict:
        return super()._route(name, path, around) | {"http2": True}


class EnvoyWithHttp2(Envoy):
    def _clusters(self, around: Surroundings) -> list[dict]:
        options = {"@type": HTTP2, "explicit_http_config": {"http2_protocol_options": {}}}
        named = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
        return [each | {"typed_extension_protocol_options": named} for each in super()._clusters(around)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.grpc", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    h2load = shutil.which("h2load")
    if h2load is None:
        parser.exit(1, "h2load is not installed (Debian: nghttp2-client)\n")
    program = build_go(APPS / "grpc_upstream")
    with tempfile.TemporaryDirectory(prefix="obo-bench-") as folder, build_stage(Path(folder)) as stage:
        stage.around = replace(stage.around, upstream_port=_start_upstream(stage, program))
        for peer in (OursWithHttp2(), EnvoyWithHttp2(cached=True), EnvoyWithHttp2(cached=False)):
            stage.admit(peer)
        message = stage.folder / "message"
        message.write_bytes(MESSAGE)
        _report(stage, _measure(stage, [h2load, "--data", str(message)], arguments))


def _start_upstream(stage: Stage, program: Path) -> int:
    port = processes.free_port()
    cores = os.sched_getaffinity(0)
    running = processes.start(
        [program, f"127.0.0.1:{port}"], cores=cores, log=stage.folder / "go.log", port=port
    )
    stage.stack.callback(running.stop)

    def answers() -> bool:
        try:
            return bool(get(port, "/seen", "none"))
        except OSError:
            return False

    processes.wait_until(answers, running)
    return port


def _measure(
    stage: Stage, load: list[str], arguments: argparse.Namespace
) -> dict[str, list[tuple[float, float]]]:
    """CPU seconds for a call, and calls a second, of each round; the first one is for warming up."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in stage.running}
    for number in range(arguments.rounds + 1):
        for name, running in stage.running.items():
            before = running.cpu_seconds()
            calls, rate = _load(load, running.port, stage.user, arguments.seconds)
            if number:
                measured[name].append(((running.cpu_seconds() - before) / calls, rate))
    return measured


def _load(load: list[str], port: int, token: str, seconds: int) -> tuple[int, float]:
    """Calls that succeeded, and how many in a second. Raises RuntimeError where one has failed."""
    fields = (f"authorization: Bearer {token}", "content-type: application/grpc", "te: trailers")
    headers = [part for field in fields for part in ("--header", field)]
    numbers = [
        "--clients",
        str(CONNECTIONS),
        "--max-concurrent-streams",
        str(AT_ONCE),
        "--duration",
        str(seconds),
    ]
    command = [*load, *numbers, *headers, f"http://127.0.0.1:{port}{CALL}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", told)
    answered = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", told)
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", told)
    if not (counts and answered and rate) or counts[2] != "0":
        raise RuntimeError(told)
    return int(counts[1]), float(rate[1])


def _report(stage: Stage, measured: dict[str, list[tuple[float, float]]]) -> None:
    print("| peer | CPU µs a call | of Envoy, by CPU | calls/s |\n|---|---|---|---|")
    theirs = [cpu for cpu, _ in measured.get("Envoy", [])]
    for name, rounds in measured.items():
        cpu = statistics.median(each for each, _ in rounds)
        rate = statistics.median(each for _, each in rounds)
        shares = [envoy / ours for envoy, (ours, _) in zip(theirs, rounds, strict=False) if ours]
        share = f"{statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})" if shares else "-"
        print(f"| {name} | {cpu * 1e6:.1f} | {share} | {rate:,.0f} |")
    for name, reason in stage.missing.items():
        print(f"| {name} | missing: {reason} | | |")


if __name__ == "__main__":
    main()
