"""Pickles that hold a configuration's values, and none that do more."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from dataclasses import fields
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest

from proxy.config import loading, models
from proxy.config.faults import Fault
from proxy.config.load import load_settings
from proxy.config.models import Settings
from proxy.config.pickled import read_pickled, write_pickled
from proxy.config.units import Secret

NATIVE = {str, int, float, bool, bytes, type(None), tuple, dict, frozenset}  # to which no pickle gives a name


@pytest.mark.parametrize(
    "value",
    [
        models.Listen(port=1, trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("::1"))),
        models.Admin(token_file=Path("/run/token")),
        Secret("s3cr3t"),
        (Fault("routes", "required"),),
        {"scopes": ("a", frozenset({"b"})), "port": 1, "part": 0.5, "log": None, "key": b"k", "on": True},
    ],
)
def test_values_of_a_configuration(value: Any) -> None:
    assert read_pickled(write_pickled(value)) == value


class Calls:
    """Pickled as the call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def name(module: str, attribute: str) -> bytes:
    """A pickle (protocol 4) of what ``attribute`` of ``module`` is."""
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, attribute))
    return b"\x80\x04" + texts + b"\x93."


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Calls(os.mkdir, "made")),
        pickle.dumps(Calls(eval, "1")),
        pickle.dumps(Calls(load_settings, None, {})),
        pickle.dumps(Calls(getattr, Fault, "place")),
        pickle.dumps(Counter()),
        name("proxy.config.loading", "os.mkdir"),
        name("proxy.config.loading", "subprocess"),
        name("proxy.config.loading", "Loading"),
        name("proxy.config.loading", "Settings"),
        name("proxy.config.nowhere", "Settings"),
        name("proxy.configuration", "Settings"),
        b"hello",
        b"",
    ],
)
def test_anything_else(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called, imported or built; what the pickle says is not repeated."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^no values of ours: \w+$"):
        read_pickled(content)
    assert not list(tmp_path.iterdir())
    assert loading  # it is there to be named


class Other(NamedTuple):
    value: int


def test_values_of_others() -> None:
    """Where they are named."""
    assert read_pickled(write_pickled([Other(1)]), Other) == [Other(1)]
    with pytest.raises(ValueError, match="UnpicklingError"):
        read_pickled(write_pickled([Other(1)]))


@pytest.mark.parametrize("kind", [models.Listen, Secret, Fault, type(Path()), IPv4Network, Other])
@pytest.mark.parametrize("state", [(None, {"changed": 1}), ({"changed": 1}, None), {"changed": 1}])
def test_a_type_cannot_be_changed(kind: type, state: object) -> None:
    """A pickle may set the attributes of whatever it is given."""
    # Of protocol 3, whose pickles can be put together: less the mark of their end, and the second's protocol.
    named, filled = pickle.dumps(kind, 3)[:-1], pickle.dumps(state, 3)[2:-1]
    with pytest.raises(ValueError, match=r"^no values of ours: \w+$"):
        read_pickled(named + filled + b"b.", Other)
    assert not hasattr(kind, "changed")


def leaves_of(annotation: Any) -> set[Any]:
    """The types in ``annotation``; of data classes those of their fields as well."""
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    if get_args(annotation):
        found: set[Any] = set().union(*map(leaves_of, get_args(annotation)))
        origin = get_origin(annotation)
        return found | ({origin} if isinstance(origin, type) else set())
    if isinstance(annotation, type) and issubclass(annotation, models.Section):
        hints = get_type_hints(annotation)
        return {annotation}.union(*(leaves_of(hints[field.name]) for field in fields(annotation)))
    return {annotation}


def test_every_kind_of_value_that_there_may_be() -> None:
    """A key of a new type is not first missed at a start."""
    kinds = leaves_of(Settings) - NATIVE - {..., UnionType, Path, Any}
    assert len(kinds) > 20
    for kind in kinds:
        assert read_pickled(pickle.dumps(kind)), "not refused"
