"""What whoever runs the proxy should know of a configuration that is sound."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .faults import Fault, build_place, got
from .models import Section, Settings

# Every other file that is named holds a secret.
_PUBLIC = frozenset({"ca_file", "cert_file", "certificate_file", "client_ca_file"})


def find_cautions(settings: Settings) -> Iterator[Fault]:
    """Files with a secret that every account of the machine may read, and proofs that replicas know nothing of.

    No faults: container engines mount secrets with mode 0444, and in a container there is nobody else; and there may
    be but one replica.
    """
    yield from _find_lonely_proofs(settings)
    for place, path in _find_secret_files(settings, ()):
        with contextlib.suppress(OSError):
            if path.stat().st_mode & stat.S_IROTH:
                yield Fault(
                    build_place(place), f"everybody on this machine may read it: chmod o-r{got(str(path))}"
                )


def _find_lonely_proofs(settings: Settings) -> Iterator[Fault]:
    """A nonce is of one process where nothing is shared: no other takes a proof that has it."""
    for index, entry in enumerate(settings.subject_tokens):
        if entry.dpop != "refuse" and not entry.dpop_nonce and settings.cache.shared is None:
            yield Fault(
                f"subject_tokens[{index}].dpop",
                "where several replicas serve, or after a restart, a proof could be used again while it is young:"
                " name cache.shared, or set dpop_nonce: true",
            )


def _find_secret_files(
    value: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Path]]:
    if isinstance(value, Path):
        yield place, value
        return
    inside: Any = ()
    if isinstance(value, Section):
        inside = [(key, getattr(value, key)) for key in type(value).model_fields if key not in _PUBLIC]
    elif isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, tuple):
        inside = enumerate(value)
    for key, item in inside:
        yield from _find_secret_files(item, (*place, key))
