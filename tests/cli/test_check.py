"""``obo-proxy check`` against the demo's org, over real sockets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from proxy.demo import Demo
from proxy.demo.org import SERVICE_SECRET
from tests.support.checking import Check
from tests.support.issuer import shows_token

from ..support.misconfigurations import MISCONFIGURATIONS, ROUTE, Misconfiguration


@pytest.mark.parametrize("case", MISCONFIGURATIONS, ids=lambda case: case.name)
async def test_misconfigurations(case: Misconfiguration, demo: Demo, check: Check) -> None:
    """Each is named with its cause and its remedy, and the exit status says that something failed."""
    raw = case.make(demo)
    checked = await check(raw, case.token(demo), "--route", ROUTE)
    failures = checked.found("fail")
    assert checked.status == 1
    assert checked.document["ok"] is False
    told = [(one["summary"], one["remedy"]) for one in failures]
    assert any(case.cause in cause and case.remedy in remedy for cause, remedy in told), told


async def test_all_is_well(demo: Demo, check: Check) -> None:
    """Without a token every step that needs none passes, and nothing is exchanged for a user."""
    raw = demo.settings()
    checked = await check(raw, None, "--route", ROUTE)
    assert (checked.status, checked.found("fail"), checked.found("warn")) == (0, [], [])
    assert checked.step("credentials", "orders")["verdict"] == "pass"
    assert checked.step("route_scopes")["summary"] == "the server knows orders:read"
    assert checked.document["exchanges"] == []


async def test_with_a_users_token(demo: Demo, check: Check) -> None:
    """The real exchange is made once for each route, and both tokens' claims are told with their differences."""
    checked = await check(demo.settings(), demo.mint("alice"))
    assert {one["about"] for one in checked.found("fail")} == {"payroll"}
    exchanges = {one["route"]: one for one in checked.document["exchanges"]}
    assert set(exchanges) == {"orders", "profile", "reports"}
    claims = exchanges["orders"]
    assert (claims["before"]["sub"], claims["after"]["sub"]) == ("alice", "alice")
    assert (claims["before"]["aud"], claims["after"]["aud"]) == ("api://default", "api://orders")
    changes = {one["name"]: one["change"] for one in claims["differences"]}
    assert (changes["sub"], changes["aud"], changes["scp"]) == ("same", "changed", "changed")
    assert [one["step"] for one in checked.document["findings"]].count("audience") == 1
    assert demo.calls["token_exchange"] == 3 + 3  # each server's probe, each route's exchange


@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_token_and_no_secret_is_shown(form: str, demo: Demo, check: Check) -> None:
    """X-14: neither the user's token nor an issued one, nor a part of either, nor our secret, wherever it fails."""
    token = demo.mint("alice", claims={"nested": {"token": demo.mint("bob")}})
    demo.faults.members["echo"] = token
    checked = await (check if form == "json" else check.text)(demo.settings(), token)
    shown = checked.out + checked.err
    assert "alice" in shown
    assert not shows_token(shown)
    assert token.rpartition(".")[2] not in shown
    assert SERVICE_SECRET not in shown


async def test_json_of_a_failure(demo: Demo, check: Check) -> None:
    """A script reads step, cause, remedy and the code of the error table."""
    demo.tenant.servers["orders"].trusted.clear()
    checked = await check(demo.settings(), demo.mint("alice"), "--route", ROUTE)
    assert checked.document["counts"]["fail"] == 1
    failure = checked.step("exchange", ROUTE)
    assert (failure["verdict"], failure["code"]) == ("fail", "exchange_misconfigured")
    assert failure["seconds"] > 0


BAD = [
    (
        {"routes": [{"name": "a", "path": "/", "upstream": "orders:8080", "grant": "none"}]},
        "routes[0].upstream",
    ),
    ({"routes": [], "typo": 1}, "typo"),
]


@pytest.mark.parametrize(("raw", "place"), BAD, ids=["upstream", "unknown key"])
@pytest.mark.parametrize("form", ["json", "text"])
async def test_bad_configuration(form: str, raw: dict[str, Any], place: str, check: Check) -> None:
    """Every fault on stderr with its place, exit 2; as JSON in the same shape as ever."""
    checked = await (check if form == "json" else check.text)(raw)
    assert checked.status == 2
    assert place in checked.err
    if form == "json":
        assert place in [one["about"] for one in checked.found("fail")]
    else:
        assert checked.out == ""


async def test_openid_on_an_exchange(demo: Demo, check: Check) -> None:
    """X-02: it is refused before anything is asked."""
    raw = demo.settings()
    raw["routes"][0]["scopes"].append("openid")
    checked = await check(raw)
    assert (checked.status, demo.calls.total()) == (2, 0)
    assert "openid" in checked.err


async def test_okta_org_as_issuer(demo: Demo, check: Check) -> None:
    """A-18: an org authorization server cannot vouch for users, and the field is named."""
    raw = demo.settings()
    raw["authorization_servers"]["default"]["issuer"] = "https://acme.okta.com"
    checked = await check(raw)
    assert checked.status == 2
    assert "subject_tokens[0].authorization_server" in checked.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--route", "nowhere"], "--route: there are only orders, profile, payroll, reports, public"),
        (
            ["--token-file", "/nonexistent/token"],
            "--token-file: /nonexistent/token: No such file or directory",
        ),
        (["--token-file", "/dev/zero"], "--token-file: /dev/zero is longer than any token"),
    ],
    ids=["route", "no file", "endless file"],
)
async def test_bad_options(options: list[str], told: str, demo: Demo, check: Check) -> None:
    """What the command line names and is not there is a fault like any other."""
    checked = await check(demo.settings(), None, *options)
    assert checked.status == 2
    assert told in checked.err


async def test_credentials_that_cannot_be_read(demo: Demo, check: Check) -> None:
    """A key file that is none is bad configuration."""
    raw = demo.settings(private_key_jwt=True)
    demo.private_key_file.write_text("no key\n")
    checked = await check(raw)
    assert checked.status == 2
    assert "private_key_file" in checked.err or "credentials" in checked.err


async def test_token_from_stdin(demo: Demo, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` is stdin, so that the token is in no argument and on no disk."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{demo.mint('alice')}\n".encode())))
    checked = await check(demo.settings(), None, "--token-file", "-", "--route", ROUTE)
    assert (checked.status, len(checked.document["exchanges"])) == (0, 1)


async def test_token_with_its_scheme(demo: Demo, check: Check) -> None:
    """A copied header field is told from a token."""
    checked = await check(demo.settings(), f"Bearer {demo.mint('alice')}", "--route", ROUTE)
    assert checked.step("token")["remedy"] == "Give the token alone, without the word Bearer before it."
    assert checked.step("exchange", ROUTE)["verdict"] == "skip"


async def test_subject_token_of_the_proxys_own(demo: Demo, check: Check, tmp_path: Path) -> None:
    """A route with a subject token in a file needs none of the caller's."""
    raw = demo.settings()
    (tmp_path / "workload").write_text(demo.mint("alice"))
    (tmp_path / "workload").chmod(0o600)
    raw["routes"][0]["subject_token_file"] = str(tmp_path / "workload")
    checked = await check(raw, None, "--route", ROUTE)
    assert (checked.status, len(checked.document["exchanges"])) == (0, 1)


async def test_a_secret_that_everybody_may_read(demo: Demo, check: Check, tmp_path: Path) -> None:
    """A warning with its place, and no failure."""
    secret = tmp_path / "admin-token"
    secret.write_text("canary")
    secret.chmod(0o444)
    checked = await check(demo.settings(admin={"token_file": str(secret)}), None, "--route", "public")
    (warning,) = checked.found("warn")
    assert (checked.status, warning["about"]) == (0, "admin.token_file")
    assert "chmod o-r" in warning["summary"]
