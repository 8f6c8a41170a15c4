"""What whoever runs the proxy should know of a configuration that is sound."""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .faults import Fault, build_place, got
from .models import Section, Settings

# Every other file that is named holds a secret.
_PUBLIC = frozenset({"ca_file", "cert_file", "certificate_file", "client_ca_file"})

# ``/package.Service``, or one of its methods (grpc/grpc: doc/PROTOCOL-HTTP2.md, "Path"), as packages and services are
# commonly written.
_SERVICE = re.compile(r"/(?:[a-z_][a-z0-9_]*\.)+[A-Z]\w*(?:/[A-Z]\w*)?")


def find_cautions(settings: Settings) -> Iterator[Fault]:
    """Files with a secret that all accounts may read, proofs of which replicas know nothing, gRPC without HTTP/2.

    No faults: container engines mount secrets with mode 0444, and in a container there is nobody else; and there may
    be but one replica.
    """
    yield from _find_lonely_proofs(settings)
    yield from _find_services_without_http2(settings)
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


def _find_services_without_http2(settings: Settings) -> Iterator[Fault]:
    """Whether a route is for gRPC is said by nothing but its path, by which others could go as well."""
    missed = False
    for index, route in enumerate(settings.routes):
        if _SERVICE.fullmatch(route.path):
            missed = missed or not settings.listen.http2
            if not route.http2:
                yield Fault(
                    f"routes[{index}].http2",
                    "the path looks like a service of gRPC's, whose calls fail where the API is called by HTTP/1.1:"
                    f" set http2: true{got(route.path)}",
                )
    if missed:
        yield Fault(
            "listen.http2",
            "a route's path looks like a service of gRPC's, whose callers speak HTTP/2 alone: set http2: true",
        )


def _find_secret_files(
    value: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Path]]:
    if isinstance(value, Path):
        yield place, value
        return
    inside: Any = ()
    if isinstance(value, Section):
        inside = [(key, item) for key, item in vars(value).items() if key not in _PUBLIC]
    elif isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, tuple):
        inside = enumerate(value)
    for key, item in inside:
        yield from _find_secret_files(item, (*place, key))
