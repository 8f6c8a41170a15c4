"""The request that a gateway asks about, out of the request with which it asks.

What tells it must be there, once, and well-formed: nothing is ever guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ..errors import BadRequest, MethodNotAllowed
from ..http.asgi import Scope
from ..http.headers import Field, Fields, values
from ..http.request_head import FORBIDDEN_METHODS, HOST

_METHOD = re.compile(rb"[A-Z][A-Z_-]{0,31}")
_TARGET = re.compile(rb"/[!\"$-~]*")  # RFC 9112 §3.2.1, origin-form: no fragment, nothing unencoded

_CHECK_GATEWAY = "Compare the gateway's configuration with the one that is shipped for it."


@dataclass(frozen=True, slots=True)
class Original:
    """A caller's request as its gateway received it; ``fields`` are in order and have lower-case names."""

    method: str
    target: bytes
    scheme: str
    fields: Fields

    def build_scope(self, asked: Scope) -> Scope:
        """``asked``, but as if the caller had asked itself."""
        raw_path, _, query = self.target.partition(b"?")
        return {
            **asked,
            "method": self.method,
            "scheme": self.scheme,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.fields,
        }


def take_one(fields: Fields, name: bytes) -> bytes:
    """The value of the one field ``name``. Raises BadRequest where it is missing, or there twice."""
    found = values(fields, name)
    if len(found) != 1:
        how_many = "more than one" if found else "no"
        raise BadRequest(f"the gateway sends {how_many} {name.decode('ascii')}", remedy=_CHECK_GATEWAY)
    return found[0]


def read_method(value: bytes) -> str:
    """Raises BadRequest, MethodNotAllowed."""
    if not _METHOD.fullmatch(value):
        raise BadRequest("the original method is none", remedy=_CHECK_GATEWAY)
    method = value.decode("ascii")
    if method in FORBIDDEN_METHODS:
        raise MethodNotAllowed(f"method {method}")
    return method


def read_target(value: bytes) -> bytes:
    """A target in origin-form, byte for byte. Raises BadRequest."""
    if not _TARGET.fullmatch(value):
        raise BadRequest("the original target is no path with a query", remedy=_CHECK_GATEWAY)
    return value


def read_host(value: bytes) -> bytes:
    """Raises BadRequest."""
    if not HOST.fullmatch(value):
        raise BadRequest("the original host is none", remedy=_CHECK_GATEWAY)
    return value


def without(fields: Fields, names: Collection[bytes]) -> list[Field]:
    """``fields`` but those of ``names``, with which the gateway tells of the original."""
    return [field for field in fields if field[0] not in names]
