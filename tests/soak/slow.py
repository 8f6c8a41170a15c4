"""``slowhttptest`` against ``obo-proxy serve`` in its four modes, and a probe that must not notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.demo import Demo
from tests.support.raw_client import connected
from tests.support.served import Served, serving, write

CONNECTIONS = 400
RATE = 100  # connections begun each second
PROBE_PERIOD = 0.05  # s
ALLOWED = 0.1  # s that any probe may take
# Each mode's own option: slow heads, slow bodies, ranges without end, and slow reading of large answers.
MODES: dict[str, list[str]] = {
    "slow heads": ["-H", "-i", "5"],
    "slow bodies": ["-B", "-i", "5", "-s", "8192"],
    "ranges": ["-R", "-a", "10", "-b", "3000"],
    "slow reading": ["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"],
}


class Probe:
    """Asks for alice again and again, each time on a new connection; ``times`` are in seconds."""

    def __init__(self, served: Served, token: str) -> None:
        self._address = served.address
        lines = ["GET /orders HTTP/1.1", "Host: proxy", "Connection: close", f"Authorization: Bearer {token}"]
        self._request = "\r\n".join([*lines, "", ""]).encode()
        self.times: list[float] = []
        self.failures = 0

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                async with connected(self._address) as client:
                    await client.send(self._request)
                    self.failures += (await client.response()).status != 200
            except Exception:  # noqa: BLE001 whatever it was, a probe has failed
                self.failures += 1
            self.times.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_PERIOD)

    def report(self) -> str:
        """The figures so far, which begin anew."""
        times, failures = sorted(self.times), self.failures
        self.times, self.failures = [], 0
        shares = {name: times[int(len(times) * share)] for name, share in (("median", 0.5), ("99 %", 0.99))}
        figures = [f"{name} {took * 1e3:.1f} ms" for name, took in (shares | {"slowest": times[-1]}).items()]
        return ", ".join([f"{len(times)} probes", f"{failures} failed", *figures])


@asynccontextmanager
async def probed(folder: Path) -> AsyncIterator[tuple[str, Probe]]:
    """The URL of a served proxy, and a probe of it."""
    async with Demo() as demo:
        raw = demo.settings()
        async with serving(write(folder / "obo.yaml", raw)) as served:
            host, port = served.address
            probe = Probe(served, demo.mint("alice"))
            running = asyncio.create_task(probe.run())
            try:
                yield f"http://{host}:{port}/orders", probe
            finally:
                running.cancel()


async def attack(program: str, folder: Path, seconds: int) -> bool:
    """Whether every probe was answered in time in every mode; each takes ``seconds``."""
    passed = True
    async with probed(folder) as (url, probe):
        await asyncio.sleep(seconds)
        print(f"alone: {probe.report()}", flush=True)
        for mode, options in MODES.items():
            process = await asyncio.create_subprocess_exec(
                program, *options, "-c", str(CONNECTIONS), "-r", str(RATE), "-l", str(seconds), "-u", url,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await process.wait()
            held = not probe.failures and max(probe.times) < ALLOWED
            passed = passed and held
            print(f"{mode}: {probe.report()}{'' if held else '  TOO SLOW'}", flush=True)
    return passed
