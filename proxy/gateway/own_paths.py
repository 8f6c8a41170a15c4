"""What is asked of ourselves on the port where APIs are served: events that we take, documents that we publish."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ..downstream.request import Downstream
from .published_documents import Documents

if TYPE_CHECKING:
    from ..signals.receivers import Receiver, Receivers


class OwnPaths:
    """Answers on the paths of ``documents`` and ``receivers``."""

    def __init__(self, documents: Documents | None, receivers: Receivers | None) -> None:
        self._documents = documents
        self._receivers = receivers

    def answer(self, downstream: Downstream) -> Awaitable[None] | None:
        """The answer, to be awaited; None where an API is asked."""
        if self._receivers is not None and (receiver := self._receivers.find(downstream)) is not None:
            return _receive(self._receivers, receiver, downstream)
        document = self._documents.find(downstream) if self._documents else None
        return None if document is None else _publish(downstream, document)


async def _receive(receivers: Receivers, receiver: Receiver, downstream: Downstream) -> None:
    status, headers, body = await receivers.receive(receiver, downstream)
    length = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    await downstream.start(status, [*headers, *length, (b"cache-control", b"no-store")])
    await downstream.write(body, more=False)


async def _publish(downstream: Downstream, document: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(document)),
        (b"cache-control", b"max-age=300"),
    ]
    await downstream.start(200, headers)
    await downstream.write(document, more=False)
