"""The JSON Schema of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .models import Settings

_FROM_ENVIRONMENT = {"type": "string", "pattern": r"\$\{", "description": "${NAME} or ${NAME:-default}"}


def build_schema() -> dict[str, Any]:
    """The JSON Schema of the file, with ``${NAME}`` allowed in place of numbers, words and switches."""
    schema = TypeAdapter(Settings).json_schema(schema_generator=_SchemaGenerator)
    return {"$schema": _SchemaGenerator.schema_dialect, **schema, "title": "Configuration of obo-proxy"}


class _SchemaGenerator(GenerateJsonSchema):
    """A scalar that is no text may also come from the environment, and a mapping has a default as well."""

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> Any:
        factory = cast("Callable[[], object] | None", schema.get("default_factory"))
        return factory() if factory else super().get_default_value(schema)

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), _FROM_ENVIRONMENT]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"anyOf": [super().bool_schema(schema), _FROM_ENVIRONMENT]}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return {"anyOf": [super().literal_schema(schema), _FROM_ENVIRONMENT]}
