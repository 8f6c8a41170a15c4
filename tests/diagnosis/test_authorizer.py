"""The doctor asks the authorizer that runs, as each gateway would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.diagnosis.doctor import examine_all
from proxy.diagnosis.finding import Finding
from proxy.runtime import SystemClock
from tests.support.proxy import running
from tests.support.redis_server import find_free_port


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running_demo:
        yield running_demo


async def examine(raw: dict[str, Any], token: str | None = None) -> dict[str, Finding]:
    """What is found of the authorizer, by route."""
    report = await examine_all(parse_settings(raw), SystemClock(), token=token)
    return {finding.about: finding for finding in report.findings if finding.step == "authorizer"}


@pytest.mark.parametrize("on_a_socket", [False, True])
async def test_each_route_is_asked_for_in_each_dialect(demo: Demo, tmp_path, on_a_socket: bool) -> None:
    """With a user's token it is allowed, but where the policy says no; without one a token is asked for."""
    host = f"unix:{tmp_path / 'obo.sock'}" if on_a_socket else "127.0.0.1"
    raw = demo.settings(authorizer={"host": host, "port": find_free_port()})
    async with running(raw):
        with_token = await examine(raw, demo.mint("alice"))
        without = await examine(raw)
    assert {name: finding.verdict for name, finding in with_token.items()} == {
        "orders": "pass",
        "profile": "pass",
        "payroll": "fail",
        "reports": "pass",
        "public": "pass",
    }
    assert with_token["payroll"].summary == "envoy: answered by 403 (exchange_denied)"
    assert {finding.verdict for finding in without.values()} == {"pass"}
    assert without["orders"].summary == "a token is asked for, as envoy, nginx, forward ask"
    assert with_token["reports"].summary == "allowed, as envoy, nginx, forward ask"


async def test_one_that_does_not_run_yet_is_no_failure(demo: Demo) -> None:
    """The configuration may be checked before the start."""
    found = await examine(demo.settings(authorizer={"port": find_free_port()}))
    assert {finding.verdict for finding in found.values()} == {"warn"}
    assert found["orders"].summary.startswith("nobody answers there: no connection to 127.0.0.1:")


async def test_one_of_another_configuration_shows(demo: Demo) -> None:
    """A route that it does not know is not found."""
    raw = demo.settings(authorizer={"port": find_free_port()})
    async with running(raw):
        routes = [*raw["routes"], raw["routes"][0] | {"name": "new", "path": "/new"}]
        found = await examine(raw | {"routes": routes}, demo.mint("alice"))
    assert found["new"].summary == "envoy: answered by 404 (no_route)"
    assert found["orders"].verdict == "pass"


async def test_without_an_authorizer_nothing_is_said_of_it(demo: Demo) -> None:
    assert await examine(demo.settings()) == {}
