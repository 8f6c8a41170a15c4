"""What ships in ``config/`` against the code."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from proxy.config.environment import expand
from proxy.config.load import load_settings
from proxy.config.models import Section, Settings, TokenIn, TokenOut
from proxy.config.schema import build_schema
from proxy.jose.private_keys import generate_key, pem

from .samples import change

SHIPPED = Path(__file__).parents[2] / "config"
EXAMPLES = sorted(SHIPPED.glob("*.yaml"))
# What the reference must give for an example's sake.
EXEMPLARY = {
    "authorization_servers.client.id",
    "authorization_servers.client.secret",
    "routes.audience",
    "routes.scopes",
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    key, secret = tmp_path / "key.pem", tmp_path / "secret"
    key.write_bytes(pem(generate_key("ES256")))
    secret.write_text("s3cr3t")
    for path in (key, secret):
        path.chmod(0o600)
    return {
        "OBO_CLIENT_ID": "0oa1",
        "OBO_CLIENT_SECRET": "s3cr3t",
        "OBO_CLIENT_SECRET_FILE": str(secret),
        "OBO_PRIVATE_KEY_FILE": str(key),
        "ENTRA_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "ORDERS_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
    }


@pytest.fixture(scope="module")
def schema() -> Any:
    """Made once, as it takes longer than to judge by it."""
    made = build_schema()
    validator = jsonschema.validators.validator_for(made)
    validator.check_schema(made)
    return validator(made)


def test_the_schema_in_step(schema: Any) -> None:
    """config/schema.json is what ``obo-proxy config schema`` prints."""
    assert json.loads((SHIPPED / "schema.json").read_text()) == schema.schema


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_shipped_files_are_sound(path: Path, schema: Any, environ: dict[str, str]) -> None:
    """Each example starts as it stands, and satisfies the schema that editors read."""
    load_settings(path, environ)
    schema.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    ("path", "value"),
    [("listen.port", "many"), ("routes.0.grant", "magic"), ("routes.0.nmae", "x"), ("log.access", 5)],
)
def test_the_schema_refuses_what_we_refuse(path: str, value: Any, schema: Any) -> None:
    """An editor marks the fault before the start does."""
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(change((path, value)))


def test_the_schema_takes_references(schema: Any) -> None:
    """``${NAME}`` may stand for a number, a word or a switch."""
    raw = change(("listen.port", "${PORT:-1}"), ("routes.0.grant", "${GRANT}"), ("log.access", "${LOG}"))
    schema.validate(raw)


def test_the_reference_names_every_key_with_its_default(environ: dict[str, str]) -> None:
    """config/reference.yaml is complete, and says of no default what is not so."""
    raw = expand(yaml.safe_load((SHIPPED / "reference.yaml").read_text()), environ)
    check_keys(Settings, raw, "")


def section_of(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(section_of, get_args(annotation))), None)


def check_keys(section: type[Section], raw: dict[str, Any], place: str) -> None:
    """Every key of ``section`` stands in ``raw``, with its default where it has one."""
    if section in (TokenIn, TokenOut):
        return  # header, query and cookie exclude each other
    known = {field.name: field for field in fields(section)}
    assert set(raw) == set(known), place
    for key, annotation in get_type_hints(section, include_extras=True).items():
        if key not in known:
            continue
        at, inner = f"{place}.{key}".removeprefix("."), section_of(annotation)
        for entry in entries_of(raw[key]) if inner else ():
            check_keys(inner, entry, at)
        default, factory = known[key].default, known[key].default_factory
        if not inner and (default, factory) != (MISSING, MISSING) and at not in EXEMPLARY:
            given = TypeAdapter(annotation).validate_python(raw[key])
            assert given == (default if factory is MISSING else factory()), at


def entries_of(value: Any) -> list[dict[str, Any]]:
    """The sections that a value holds: itself, those of a list or of a mapping by name."""
    if isinstance(value, list):
        return value
    if value and all(isinstance(entry, dict) for entry in value.values()):
        return list(value.values())
    return [value] if value else []
