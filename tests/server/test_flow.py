"""Back-pressure: the transport is told once, and whoever waits goes on."""

from __future__ import annotations

import asyncio

from proxy.server.flow import FlowControl


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


async def test_reading_is_paused_and_resumed_once() -> None:
    """A transport that is paused twice may complain."""
    transport = Transport()
    flow = FlowControl(transport)
    for step in (flow.resume_reading, flow.pause_reading, flow.pause_reading, flow.resume_reading):
        step()
    assert transport.told == ["pause", "resume"]
    assert not flow.read_paused


async def test_what_is_written_waits_for_room() -> None:
    """Until the transport has some, and not a turn longer."""
    flow = FlowControl(Transport())
    flow.pause_writing()
    waiting = asyncio.create_task(flow.drain())
    await asyncio.sleep(0)
    assert (waiting.done(), flow.write_paused) == (False, True)
    flow.resume_writing()
    await waiting
    await flow.drain()
