"""Durations, sizes and other scalar spellings of the configuration file.

What pydantic is to know of a type stands in its annotation, by the methods that pydantic asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST = 366 * 86400.0  # s; more is a mistake in the unit
_SIZE = re.compile(r"([0-9]{1,18})(B|KiB|MiB|GiB)?")
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class Written:
    """In an annotation: how a value is written in the file, what bounds it, and what an editor is told of it.

    Said in pydantic's words once pydantic asks: whoever merely holds the values does not load it.
    """

    def __init__(
        self, parse: Callable[[Any], Any] | None = None, schema: JsonSchemaValue | None = None, **bounds: Any
    ) -> None:
        self._parse = parse
        self._schema = schema
        self._bounds = bounds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """That of the type with these words after it."""
        from pydantic import BeforeValidator, Field, WithJsonSchema  # noqa: PLC0415 it has asked

        words: list[Any] = [Field(**self._bounds)]
        if self._parse is not None:
            words.insert(0, BeforeValidator(self._parse))
        if self._schema is not None:
            words.append(WithJsonSchema(self._schema))
        return handler.generate_schema(Annotated[source, *words])


@dataclass(frozen=True)
class Secret:
    """A text that no ``repr`` shows."""

    _value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._value

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text in the file."""
        return {
            "type": "function-after",
            "function": {"type": "no-info", "function": cls},
            "schema": handler(str),
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "password", "writeOnly": True}


def parse_duration(value: Any) -> Any:
    """``30`` or ``"500ms"`` → seconds; anything else raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        return float(found[1]) * _SECONDS[found[2]]
    raise ValueError("not a duration such as 30, 500ms, 30s, 5m or 1h")


def parse_size(value: Any) -> Any:
    """``65536`` or ``"64KiB"`` → bytes; anything else raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        return int(found[1]) * _BYTES[found[2]]
    raise ValueError("not a size such as 65536, 64KiB or 1MiB")


def parse_network(value: Any) -> Any:
    """``"10.0.0.0/8"`` or one address → a network; anything else raises ValueError."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("not a network such as 10.0.0.0/8 or ::1") from None


def list_texts(value: Any) -> Any:
    """``null``, one text or a list → a list."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def shorten(values: tuple[str, ...]) -> str | list[str] | None:
    """A list as it is written: none, one without brackets, or all."""
    return (values[0] if values else None) if len(values) < 2 else list(values)


Text = Annotated[str, Written(min_length=1)]
Duration = Annotated[
    float,
    Written(
        parse_duration,
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h)?$"},
            ],
            "description": "seconds, or 500ms, 30s, 5m, 1h",
        },
        ge=0,
        le=LONGEST,
        allow_inf_nan=False,
    ),
]
Size = Annotated[
    int,
    Written(
        parse_size,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": r"^\d+(B|KiB|MiB|GiB)?$"},
            ],
            "description": "bytes, or 64KiB, 1MiB",
        },
        ge=1,
    ),
]
FilePath = Annotated[Path, Written(schema={"type": "string", "description": "path of a file"})]
Network = Annotated[
    IPv4Network | IPv6Network,
    Written(parse_network, {"type": "string", "description": "network such as 10.0.0.0/8 or ::1"}),
]
Texts = Annotated[
    tuple[Text, ...],
    Written(
        list_texts,
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
                {"type": "null"},
            ],
            "description": "one, or a list",
        },
    ),
]


def name_everybody(networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether they are all addresses there are, also as 0.0.0.0/1 and 128.0.0.0/1."""
    known = tuple(networks)
    of_4 = collapse_addresses(one for one in known if isinstance(one, IPv4Network))
    of_6 = collapse_addresses(one for one in known if isinstance(one, IPv6Network))
    return any(one.prefixlen == 0 for one in chain[IPv4Network | IPv6Network](of_4, of_6))
