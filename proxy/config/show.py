"""The effective configuration without its secrets, and the JSON Schema of the file."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .faults import HIDDEN, hide_credentials, is_secret_name
from .models import Settings

_FROM_ENVIRONMENT = {"type": "string", "pattern": r"\$\{", "description": "${NAME} or ${NAME:-default}"}


def build_shown(settings: Settings) -> dict[str, Any]:
    """``settings`` as plain values, each secret and the credentials in each URL as ``***``."""
    shown: dict[str, Any] = _hide(settings.model_dump(mode="json"))
    for server in shown["authorization_servers"].values():
        if server["client"] and server["client"]["secret"]:
            server["client"]["secret"] = HIDDEN
    if shown["cache"]["shared"]:
        shown["cache"]["shared"]["url"] = HIDDEN
    for route in shown["routes"]:
        for name in filter(is_secret_name, route["extra_parameters"]):
            route["extra_parameters"][name] = HIDDEN
    return shown


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hide(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide(item) for item in value]
    return hide_credentials(value) if isinstance(value, str) and "://" in value else value


def build_schema() -> dict[str, Any]:
    """The JSON Schema of the file, with ``${NAME}`` allowed in place of numbers, words and switches."""
    schema = Settings.model_json_schema(schema_generator=_SchemaGenerator)
    return {"$schema": _SchemaGenerator.schema_dialect, **schema, "title": "Configuration of obo-proxy"}


class _SchemaGenerator(GenerateJsonSchema):
    """A scalar that is no text may also come from the environment."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), _FROM_ENVIRONMENT]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"anyOf": [super().bool_schema(schema), _FROM_ENVIRONMENT]}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return {"anyOf": [super().literal_schema(schema), _FROM_ENVIRONMENT]}
