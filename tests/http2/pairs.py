"""Both codecs, and two of them that talk to each other without a network."""

from __future__ import annotations

from collections.abc import Callable

from proxy.http2.codec import Event
from proxy.http2.frame_codec import FrameCodec
from proxy.http2.h2_codec import H2Codec
from proxy.http2.options import CodecOptions
from tests.http2.zttp_codec import ZttpCodec

CODECS: dict[str, Callable[..., FrameCodec]] = {"h2": H2Codec, "zttp": ZttpCodec}
REQUEST = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", b"/"), (b"host", b"api.example")]
OK = [(b":status", b"200")]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pair:
    """A client and a server; what each was told since the last ``talk``."""

    def __init__(self, client: str, server: str, **options: int) -> None:
        self.clock = Clock()
        self.client = CODECS[client](CodecOptions(client=True, **options), self.clock)
        self.server = CODECS[server](CodecOptions(client=False, **options), self.clock)
        self.client.begin()
        self.server.begin()
        self.talk()

    def talk(self) -> tuple[list[Event], list[Event]]:
        """Until nobody has anything to say: what the client and what the server is told."""
        client: list[Event] = []
        server: list[Event] = []
        while True:
            up, down = self.client.take(), self.server.take()
            if not up and not down:
                return client, server
            server += self.server.feed(up) if up else []
            client += self.client.feed(down) if down else []
