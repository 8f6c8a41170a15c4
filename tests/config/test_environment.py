"""The environment: references to it, and the variables that make a configuration."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config.environment import expand
from proxy.config.load import ConfigurationError, load_settings, parse_settings

from .samples import EXPOSED, SIDECAR, change, faults_of


def faults_from(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ)
    return str(caught.value).splitlines()


def test_the_environment_alone_makes_a_sidecar() -> None:
    """Contract 2.2: one route, one authorization server."""
    settings = load_settings(None, {**SIDECAR, "OBO_SCOPES": "orders:read orders:write", "PATH": "/bin"})
    (route,) = settings.routes
    assert (route.path, route.upstream) == ("/", "http://orders:8080")
    assert "api://orders" in (route.audience or ())
    assert route.scopes == ("orders:read", "orders:write")
    (server,) = settings.authorization_servers.values()
    assert server.client is not None
    assert (server.client.id, server.client.auth) == ("0oa1", "client_secret_basic")
    assert settings.subject_tokens[0].expected_audience == "api://default"


def test_a_key_file_means_private_key_jwt(tmp_path: Path) -> None:
    """Contract 2.2: OBO_PRIVATE_KEY_FILE with OBO_KEY_ID in place of the secret."""
    environ = {
        **SIDECAR,
        "OBO_CLIENT_SECRET": "",
        "OBO_PRIVATE_KEY_FILE": str(tmp_path / "key"),
        "OBO_KEY_ID": "k",
    }
    (fault,) = faults_from(environ)
    assert fault.startswith("OBO_PRIVATE_KEY_FILE: cannot be read")


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"OBO_UPSTREAM": "", "OBO_ISSUER": ""}, ["OBO_ISSUER: required", "OBO_UPSTREAM: required"]),
        ({"OBO_CLIENT_ID": "", "OBO_CLIENT_SECRET": ""}, ["OBO_CLIENT_ID: required: the route 'default' gets its token here"]),
        ({"OBO_CLIENT_ID": ""}, ["OBO_CLIENT_ID: required"]),
        ({"OBO_CLIENT_SECRET": ""}, ["OBO_CLIENT_SECRET: required, or secret_file, with auth: client_secret_basic"]),
        ({"OBO_AUDIENCE": ""}, ["OBO_AUDIENCE: required, or resource or scopes: else the token would be for nothing named"]),
        ({"OBO_SHARED_CACHE_URL": "valkey://x"}, ["OBO_SHARED_CACHE_KEY_FILE: required"]),
        ({"OBO_ISSUERS": "https://x"}, ["OBO_ISSUERS: unknown variable (did you mean OBO_ISSUER?)"]),
        ({"OBO_TOKEN_URL": "x"}, ["OBO_TOKEN_URL: not an absolute URL (got 'x')"]),
        ({"OBO_ADMIN_HOST": "0.0.0.0"}, [f"OBO_ADMIN_TOKEN_FILE: {EXPOSED} (got '0.0.0.0')"]),
    ],
    ids=range(9),
)  # fmt: skip
def test_faults_of_the_environment_bear_the_variables_names(
    changes: dict[str, str], faults: list[str]
) -> None:
    """O-06: every fault at once, each under the name that is to be set."""
    assert sorted(faults_from({**SIDECAR, **changes})) == faults


def test_other_variables_of_the_same_prefix_do_no_harm() -> None:
    """Kubernetes sets such for a service that is called obo."""
    load_settings(None, {**SIDECAR, "OBO_SERVICE_HOST": "10.0.0.1", "OBO_PORT_80_TCP_ADDR": "10.0.0.1"})


def test_nothing_at_all_is_said_in_one_line() -> None:
    """Not a list of everything that could be set."""
    assert faults_from({}) == [
        "configuration: none: give --config FILE, OBO_CONFIG, or OBO_UPSTREAM, OBO_ISSUER, …"
    ]


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${B:-2}", "2"),
        ("${EMPTY:-2}", "2"),
        ("${EMPTY}", ""),
        ("${B:-}", ""),
        ("${A:-2}", "1"),
        ("${B:-http://x:1/?a=b}", "http://x:1/?a=b"),
        ("$A $$ $ {A}", "$A $$ $ {A}"),
        ("${DOLLAR}", "${A}"),
    ],
)
def test_references_are_replaced_once(text: str, expanded: str) -> None:
    """What a variable holds is not looked into again."""
    environ = {"A": "1", "EMPTY": "", "DOLLAR": "${A}"}
    assert expand({"${A}": [text, 5]}, environ) == {"${A}": [expanded, 5]}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("${NO}", "the environment variable NO is not set, and no default is given"),
        ("s3cr3t-${NO}", "the environment variable NO is not set, and no default is given"),
        ("${NO-x}", "neither ${NAME} nor ${NAME:-default}"),
        ("${1A}", "neither ${NAME} nor ${NAME:-default}"),
        ("s3cr3t${", "neither ${NAME} nor ${NAME:-default}"),
    ],
)
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("routes.0.upstream", "routes[0].upstream"),
        ("authorization_servers.okta.client.secret", "authorization_servers.okta.client.secret"),
        ("cache.max_ttl", "cache.max_ttl"),
        ("listen.port", "listen.port"),
        ("log.level", "log.level"),
        ("routes.0.scopes", "routes[0].scopes"),
        ("admin.token_file", "admin.token_file"),
    ],
)
def test_references_that_lead_nowhere(path: str, place: str, value: str, fault: str) -> None:
    """An unset variable without a default is a fault at its place, and the text around it is not shown."""
    assert faults_of(change((path, value))) == [f"{place}: {fault}"]


def test_numbers_and_switches_may_come_from_the_environment() -> None:
    """Everything in the environment is text."""
    raw = change(("listen.port", "${P}"), ("log.access", "${L:-true}"), ("cache.max_ttl", "${T}"))
    settings = parse_settings(raw, {"P": "8000", "T": "5m"})
    assert (settings.listen.port, settings.log.access, settings.cache.max_ttl) == (8000, True, 300.0)
