"""``obo-proxy check`` against the demo's org, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from proxy.cli import main
from proxy.demo import Demo
from proxy.demo.org import SERVICE_SECRET
from tests.support.issuer import shows_token

from ..support.certificates import DAY, Authority, server_context
from ..support.misconfigurations import MISCONFIGURATIONS, ROUTE, Misconfiguration
from ..support.raw_upstream import RawUpstream, response
from ..support.redis_server import run_redis

FINDING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["step", "about", "verdict", "summary", "remedy", "code", "seconds"],
    "properties": {
        "step": {"type": "string", "pattern": "^[a-z_]+$"},
        "about": {"type": "string"},
        "verdict": {"enum": ["pass", "warn", "fail", "skip"]},
        "summary": {"type": "string", "minLength": 1},
        "remedy": {"type": "string"},
        "code": {"type": ["string", "null"]},
        "seconds": {"type": "number", "minimum": 0},
    },
}
EXCHANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["route", "before", "after", "differences"],
    "properties": {
        "route": {"type": "string"},
        "before": {"type": "object"},
        "after": {"type": "object"},
        "differences": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "before", "after", "change"],
                "properties": {
                    "name": {"type": "string"},
                    "before": {},
                    "after": {},
                    "change": {"enum": ["same", "changed", "added", "removed"]},
                },
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "ok", "counts", "findings", "exchanges"],
    "properties": {
        "version": {"const": 1},
        "ok": {"type": "boolean"},
        "counts": {"type": "object", "required": ["pass", "warn", "fail", "skip"]},
        "findings": {"type": "array", "items": FINDING, "minItems": 1},
        "exchanges": {"type": "array", "items": EXCHANGE},
    },
}


@dataclass
class Checked:
    """What one run gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.out)
        jsonschema.validate(document, SCHEMA)
        return document

    def found(self, verdict: str) -> list[dict[str, Any]]:
        return [finding for finding in self.document["findings"] if finding["verdict"] == verdict]

    def step(self, step: str, about: str = "") -> dict[str, Any]:
        [finding] = [
            one for one in self.document["findings"] if one["step"] == step and about in ("", one["about"])
        ]
        return finding


class Check:
    """Runs the command as a user would, in a thread beside the loop that serves the demo."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    async def text(self, raw: dict[str, Any], token: str | None = None, *options: str) -> Checked:
        config = self.folder / "obo.yaml"
        config.write_text(yaml.safe_dump(raw))
        arguments = ["check", "--config", str(config), *options]
        if token is not None:
            (self.folder / "token").write_text(f"{token}\n")
            arguments += ["--token-file", str(self.folder / "token")]
        status = await asyncio.to_thread(main, arguments)
        return Checked(status, *self.capsys.readouterr())

    async def __call__(self, raw: dict[str, Any], token: str | None = None, *options: str) -> Checked:
        return await self.text(raw, token, "--json", *options)


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running:
        yield running


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    # Reading the system's authorities takes most of a run's time, and none of them vouches for loopback.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return Check(tmp_path, capsys)


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


async def test_subject_token_of_the_proxys_own(demo: Demo, check: Check, tmp_path: Path) -> None:
    """A route with a subject token in a file needs none of the caller's."""
    raw = demo.settings()
    (tmp_path / "workload").write_text(demo.mint("alice"))
    (tmp_path / "workload").chmod(0o600)
    raw["routes"][0]["subject_token_file"] = str(tmp_path / "workload")
    checked = await check(raw, None, "--route", ROUTE)
    assert (checked.status, len(checked.document["exchanges"])) == (0, 1)


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


async def test_nothing_is_there(demo: Demo, check: Check) -> None:
    """Servers and APIs that cannot be reached are named, each with what may be the matter."""
    raw = demo.settings()
    for server in raw["authorization_servers"].values():
        server["issuer"] = "http://127.0.0.1:9/oauth2/default"
    raw["routes"] = raw["routes"][:1]
    raw["routes"][0]["upstream"] = "http://127.0.0.1:9"
    checked = await check(raw)
    assert checked.status == 1
    steps = {(one["step"], one["verdict"]) for one in checked.document["findings"]}
    assert {(name, "fail") for name in ("metadata", "signing_keys", "credentials", "upstream")} <= steps
    assert ("clock", "skip") in steps
    assert all("Nothing listens there" in one["remedy"] for one in checked.found("fail"))


@pytest.mark.parametrize(
    ("host", "lasts", "trusted", "remedy"),
    [
        ("localhost", 1, True, None),
        ("localhost", 1, False, "name its PEM file as ca_file"),
        ("localhost", -1, True, "Its certificate has ended"),
        ("elsewhere.example", 1, True, "Its certificate is for another name"),
    ],
    ids=["sound", "unknown authority", "expired", "another name"],
)
async def test_certificates(
    host: str, lasts: int, trusted: bool, remedy: str | None, check: Check, tmp_path: Path
) -> None:
    """What is wrong with an API's certificate is told by its name."""
    authority = Authority(tmp_path)
    issued = authority.issue(host, lasts=lasts * DAY)
    async with RawUpstream([response()], tls=server_context(issued)) as upstream:
        route = {"name": "a", "path": "/", "upstream": upstream.url, "grant": "none"}
        if trusted:
            route["tls"] = {"ca_file": str(authority.ca_file)}
        checked = await check({"routes": [route]})
    finding = checked.step("upstream")
    assert finding["verdict"] == ("fail" if remedy else "pass")
    assert (remedy or "") in finding["remedy"]


async def test_tls_to_a_plain_port(demo: Demo, check: Check) -> None:
    """https where only http is spoken, for the API and for the authorization server."""
    raw = demo.settings()
    raw["routes"] = raw["routes"][:1]
    raw["routes"][0]["upstream"] = demo.api_url.replace("http:", "https:")
    raw["authorization_servers"]["orders"]["issuer"] = demo.issuer("orders").replace("http:", "https:")
    checked = await check(raw)
    for step, about in (("upstream", ""), ("metadata", "orders")):
        assert "speaks no TLS" in checked.step(step, about)["remedy"]


async def test_an_api_in_trouble(check: Check) -> None:
    """A 5xx is an answer, and a reason to look."""
    async with RawUpstream([response(status=b"503 Service Unavailable")]) as upstream:
        raw = {"routes": [{"name": "a", "path": "/", "upstream": upstream.url, "grant": "none"}]}
        checked = await check(raw)
        assert upstream.requests[0].startswith(b"HEAD / HTTP/1.1")
        assert b"uthorization" not in upstream.requests[0]
    assert (checked.status, checked.step("upstream")["verdict"]) == (0, "warn")


async def test_text(demo: Demo, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain text within 80 columns, no escapes, verdicts and changes in words and marks."""
    monkeypatch.setenv("COLUMNS", "80")
    demo.tenant.servers["orders"].rules.clear()
    checked = await check.text(demo.settings(), demo.mint("alice", claims={"evil": "\x1b]0;owned\x07[red]"}))
    assert checked.status == 1
    assert max(map(len, checked.out.splitlines())) <= 80
    assert "\x1b" not in checked.out
    assert "\\x1b]0;owned\\x07[red]" in checked.out
    assert "  FAIL  exchange" in checked.out
    assert "        Remedy: Okta Admin Console: Security > API > Authorization Servers >" in checked.out
    assert "Something must be mended (exchange of orders" in checked.out


async def test_text_of_warnings(demo: Demo, check: Check) -> None:
    """The last line is the sum."""
    checked = await check.text(demo.settings(), None, "--route", "payroll")
    assert checked.out.splitlines()[-1].startswith("It works, with warnings (route scopes of payroll): ")
    checked = await check.text(demo.settings(), None, "--route", "public")
    assert checked.out.splitlines()[-1].startswith("All is well: ")


async def test_a_secret_that_everybody_may_read(demo: Demo, check: Check, tmp_path: Path) -> None:
    """A warning with its place, and no failure."""
    secret = tmp_path / "admin-token"
    secret.write_text("canary")
    secret.chmod(0o444)
    checked = await check(demo.settings(admin={"token_file": str(secret)}), None, "--route", "public")
    (warning,) = checked.found("warn")
    assert (checked.status, warning["about"]) == (0, "admin.token_file")
    assert "chmod o-r" in warning["summary"]


@pytest.mark.parametrize(
    ("rights", "cause"),
    [
        ("~obo-proxy:* +mget +set +del +pexpire +xadd +xrange", "written and read"),
        ("~obo-proxy:* +mget +set +del", "cannot be used: NoPermissionError"),
        (None, "cannot be used: ConnectionError"),
    ],
    ids=["all rights", "none for purges", "away"],
)
async def test_shared_cache(rights: str | None, cause: str, check: Check, tmp_path: Path) -> None:
    """A store that is there is used as replicas do; one that cannot be is a failure, for they share nothing then."""
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(32)).decode())
    key.chmod(0o600)
    async with run_redis(tmp_path) as redis:
        if rights is None:
            await redis.stop()
        else:
            await redis.configure("ACL", "SETUSER", "proxy", "on", ">secret", *rights.split())
        url = redis.url.replace("//", "//proxy:secret@")
        shared = {"url": url, "encryption_key_file": str(key)}
        route = {"name": "a", "path": "/", "upstream": "http://127.0.0.1:9", "grant": "none"}
        checked = await check({"routes": [route], "cache": {"shared": shared}})
    finding = checked.step("shared_cache")
    assert finding["verdict"] == ("pass" if cause == "written and read" else "fail")
    assert (finding["about"], finding["summary"]) == (redis.url.replace("//", "//***@"), cause)
