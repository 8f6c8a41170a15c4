"""An authorization server: its metadata, its keys, its clock."""

from __future__ import annotations

import pytest

from proxy.demo import Demo
from tests.support.checking import Check

from ..support.misconfigurations import ROUTE


async def test_custom_domain_names_both_issuers(demo: Demo, check: Check) -> None:
    """A-19: what is configured and what the server says of itself stand side by side, with where to look."""
    raw = demo.settings()
    ours = demo.issuer("default").replace("127.0.0.1", "localhost")
    raw["authorization_servers"]["default"]["issuer"] = ours
    finding = (await check(raw, None, "--route", ROUTE)).step("metadata", "default")
    assert finding["verdict"] == "fail"
    assert ours in finding["summary"]
    assert demo.issuer("default") in finding["summary"]
    assert "Settings > Issuer" in finding["remedy"]


@pytest.mark.parametrize(
    ("offset", "verdict", "told"),
    [
        (0.0, "pass", "within 5 s"),
        (10.0, "warn", "s ahead of ours; 30 s are tolerated"),
        (-600.0, "fail", "10 min behind ours"),
    ],
)
async def test_clocks(offset: float, verdict: str, told: str, demo: Demo, check: Check) -> None:
    """X-10: the difference is told against what is tolerated."""
    demo.faults.clock_offset = offset
    finding = (await check(demo.settings(), None, "--route", "profile")).step("clock", "default")
    assert finding["verdict"] == verdict
    assert told in finding["summary"]


async def test_endpoints_of_the_configuration(demo: Demo, check: Check) -> None:
    """Where the token URL and the keys' URL are given, metadata is not needed, and a server without any passes."""
    raw = demo.settings()
    server = raw["authorization_servers"]["default"]
    server |= {"token_url": f"{server['issuer']}/v1/token", "jwks_url": f"{server['issuer']}/v1/keys"}
    demo.faults.fail("metadata", 404)
    checked = await check(raw, demo.mint("alice"), "--route", "profile")
    assert checked.status == 0
    assert checked.step("metadata", "default")["verdict"] == "skip"


async def test_signing_keys(demo: Demo, check: Check) -> None:
    """Refused keys are told with why; keys for no accepted algorithm fail; none at all fail."""
    raw = demo.settings()
    published = demo.tenant.servers["default"].keys.published
    weak = {"kty": "oct", "kid": "weak", "k": "AAAA"}
    demo.faults.refuse("keys", 200, {"keys": [*published, weak]})
    finding = (await check(raw, None, "--route", "profile")).step("signing_keys", "default")
    assert (finding["verdict"], "keys[1]: holds a private or symmetric key" in finding["summary"]) == (
        "warn",
        True,
    )
    raw["subject_tokens"][0]["algorithms"] = ["ES384"]
    finding = (await check(raw, None, "--route", "profile")).step("signing_keys", "default")
    assert (finding["verdict"], "none for the accepted ES384" in finding["summary"]) == ("fail", True)
    demo.faults.refuse("keys", 200, {"keys": []})
    finding = (await check(raw, None, "--route", "profile")).step("signing_keys", "default")
    assert (finding["verdict"], finding["summary"]) == ("fail", "no usable key")
    demo.faults.fail("keys", 500)
    finding = (await check(raw, None, "--route", "profile")).step("signing_keys", "default")
    assert (finding["verdict"], "answered 500" in finding["summary"]) == ("fail", True)
