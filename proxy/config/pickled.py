"""What processes of ours tell each other of a configuration: pickled, but read as values alone.

A pickle may name any function to be called with anything. Here it may name the types of which a configuration is made,
and nothing else ("Restricting Globals" in Python's documentation of ``pickle``). It is not given the types themselves,
whose attributes it could set, but what makes values of them.
"""

from __future__ import annotations

import io
import pickle
import sys
from dataclasses import fields, is_dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

_PLAIN: tuple[type, ...] = (type(Path()), IPv4Network, IPv6Network)


def write_pickled(value: Any) -> bytes:
    """``value``, to be read by ``read_pickled``."""
    content = io.BytesIO()
    _Writer(content).dump(value)
    return content.getvalue()


def read_pickled(content: bytes, *others: type) -> Any:
    """The value that was pickled; it may also hold some of ``others``. Raises ValueError for everything else."""
    try:
        return _Reader(content, _PLAIN + others).load()
    except Exception as error:  # noqa: BLE001 what a pickle that is none makes of the reader is not foreseeable
        raise ValueError(f"no values of ours: {type(error).__name__}") from None


class _Writer(pickle.Pickler):
    """Tells of each object what it is made of, where pickles otherwise make an empty one and fill it."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type):
            return NotImplemented
        if is_dataclass(value):
            return type(value), ({field.name: getattr(value, field.name) for field in fields(value)},)
        return (type(value), tuple(value)) if isinstance(value, tuple) else NotImplemented


class _Maker:
    """Makes values of ``kind``, of data classes from their fields by name; nothing about it can be changed."""

    __slots__ = ("_kind",)
    _kind: type

    def __init__(self, kind: type) -> None:
        object.__setattr__(self, "_kind", kind)

    def __call__(self, *parts: Any) -> Any:
        if is_dataclass(self._kind):
            (named,) = parts
            return self._kind(**named)
        return self._kind(*parts)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("it makes values, and does nothing else")


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes, kinds: tuple[type, ...]) -> None:
        super().__init__(io.BytesIO(content))
        self._kinds = {(kind.__module__, kind.__qualname__): kind for kind in kinds}

    def find_class(self, module: str, name: str) -> Any:
        kind = self._kinds.get((module, name)) or _find_own(module, name)
        if kind is None:
            raise pickle.UnpicklingError("a name that no configuration needs")
        return _Maker(kind)


def _find_own(module: str, name: str) -> type | None:
    """A data class of the configuration's that is loaded already: nothing is imported at a pickle's word."""
    if not module.startswith(f"{__package__}."):
        return None
    found = getattr(sys.modules.get(module), name, None)  # which follows no dots
    own = isinstance(found, type) and is_dataclass(found) and found.__module__ == module
    return found if own else None
