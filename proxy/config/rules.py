"""What must hold between the keys of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import Fault
from .shape import Sound


def find_faults(sound: Sound) -> Iterator[Fault]:
    """Every breach of a rule."""
    for place, route in sound.routes.items():
        if (name := route.authorization_server) and name not in sound.settings.authorization_servers:
            yield Fault(f"{place}.authorization_server", f"no such authorization server (got {name!r})")
