"""Runs a server out of descriptors, on the loop that is named; prints what came of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

import uvloop

from proxy.server import Server
from proxy.server.serve import LoopComplaints

from .apps import Recorder
from .test_serve import GET, App, make_settings

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
HOLD = """
import socket, sys
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(60)]
print("held", flush=True)
sys.stdin.read()
"""


async def main() -> None:
    asyncio.get_running_loop().set_exception_handler(LoopComplaints())
    async with Server(make_settings(), App(), Recorder()) as server:
        port = server.address[1]
        holder = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            HOLD,
            str(port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (30, hard))
        began = time.process_time()
        await holder.stdout.readline()
        await asyncio.sleep(1)
        used = time.process_time() - began
        await holder.communicate(b"")
        await asyncio.sleep(1.2)  # asyncio waits for a second before it accepts again
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        served = await reader.readuntil(b"\r\n")
        writer.close()
    print(json.dumps({"cpu": used, "served": served.decode().strip()}))


if __name__ == "__main__":
    asyncio.Runner(loop_factory=LOOPS[sys.argv[1]]).run(main())
