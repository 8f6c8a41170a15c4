"""What must hold where HTTP/2 is turned on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .faults import Fault

if TYPE_CHECKING:
    from .shape import Sound

_PACKAGE = "h2"
_REMEDY = "HTTP/2 needs packages that are not here: pip install 'obo-proxy[http2]'"


def find_http2_faults(sound: Sound) -> Iterator[Fault]:
    """Each place that asks for what is not installed."""
    places = [f"{place}.http2" for place, route in sound.routes.items() if route.http2]
    if sound.settings.listen.http2:
        places.insert(0, "listen.http2")
    if places and find_spec(_PACKAGE) is None:
        yield from (Fault(place, _REMEDY) for place in places)
