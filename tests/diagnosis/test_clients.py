"""Our client at an authorization server, told without a user."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo import Demo
from tests.support.checking import Check

from ..support.misconfigurations import ROUTE


async def test_scopes_without_a_user(demo: Demo, check: Check) -> None:
    """Unknown scopes are found without a user; what only a policy could refuse to users is a warning."""
    demo.tenant.servers["orders"].scopes.discard("orders:read")
    checked = await check(demo.settings(), None, "--route", "orders")
    assert (checked.status, checked.step("route_scopes")["verdict"]) == (1, "fail")
    checked = await check(demo.settings(), None, "--route", "payroll")
    assert (checked.status, checked.step("route_scopes")["verdict"]) == (0, "warn")
    demo.tenant.clients["obo-proxy"].grant_types.discard("client_credentials")
    checked = await check(demo.settings(), None, "--route", "payroll")
    assert (checked.status, checked.step("route_scopes")["verdict"]) == (0, "skip")


async def test_a_server_that_believes_anything(demo: Demo, check: Check) -> None:
    """A token for the made-up user is no success: who gives one does not verify subject tokens."""
    issued = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
    demo.faults.refuse("token", 200, issued)
    finding = (await check(demo.settings(), None, "--route", ROUTE)).step("credentials", "orders")
    assert (finding["verdict"], finding["summary"]) == (
        "fail",
        "the server issued a token for a made-up user",
    )


UNTRUSTED = "The 'subject_token' issuer isn't a trusted authorization server."


@pytest.mark.parametrize(
    ("body", "status"),
    [({"error": "teapot"}, 418), ({"error": "access_denied", "error_description": UNTRUSTED}, 403)],
    ids=["unknown", "trust"],
)
async def test_answers_that_prove_nothing(
    body: dict[str, Any], status: int, demo: Demo, check: Check
) -> None:
    """What a made-up user may well be told warns, and does not fail."""
    demo.faults.refuse("token", status, body)
    finding = (await check(demo.settings(), None, "--route", ROUTE)).step("credentials", "orders")
    assert finding["verdict"] == "warn"


async def test_introspection(demo: Demo, check: Check) -> None:
    """A server that only reads tokens for us proves our client by that; opaque tokens are examined by asking."""
    raw = demo.settings()
    raw["subject_tokens"][0]["introspect"] = True
    checked = await check(raw, demo.mint_opaque("alice"), "--route", "orders")
    assert "introspection is allowed" in checked.step("credentials", "default")["summary"]
    assert checked.step("introspection")["verdict"] == "pass"
    assert checked.step("signing_keys", "default")["verdict"] == "skip"
    checked = await check(raw, "gone", "--route", "orders")
    assert checked.step("introspection")["verdict"] == "fail"
