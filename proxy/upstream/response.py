"""A response as the gateway relays it."""

from __future__ import annotations

from ..http.headers import Fields
from .allowance import RESPONSES
from .reading import Reading, Source
from .response_parser import ResponseParser


class Response(ResponseParser, Reading):
    """``headers`` have lower-case names, repeats kept, values as received; interim responses are not seen.

    Its connection feeds it, and is free again as soon as the body is whole, even before that is taken: nothing
    here touches it from then on. There are never ``trailers``: those of HTTP/1.1 are dropped.
    """

    trailers: Fields = ()

    def __init__(self, source: Source, *, bodiless: bool) -> None:
        super().__init__(bodiless=bodiless)
        self._source = source

    def take(self) -> tuple[bytes, bool]:
        """What is here of the body without waiting, and whether that was the last of it."""
        data = self.take_body()
        if self.counted:
            RESPONSES.note(self, 0)
        if self.whole:
            return data, True
        self._source.resume()
        return data, False

    def fail(self, error: Exception) -> None:
        """What is here already may still be taken; then ``error`` is raised."""
        self._parser = None
        super().fail(error)
