"""The APIs behind the routes, and the shared cache."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from proxy.demo import Demo
from tests.support.checking import Check

from ..support.certificates import DAY, Authority, server_context
from ..support.http2_upstream import Http2Server, ServerStream
from ..support.raw_upstream import RawUpstream, response
from ..support.redis_server import run_redis


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


@pytest.mark.parametrize(
    ("protocols", "told", "remedy"),
    [
        (None, "over HTTP/2", ""),
        (["h2"], "over HTTP/2", ""),
        (["http/1.1"], "", "http2"),
        ([], "ALPN", "Take http2 off the route"),
    ],
    ids=["prior knowledge", "ALPN", "another protocol", "no ALPN"],
)
async def test_whether_it_speaks_http2(
    protocols: list[str] | None, told: str, remedy: str, check: Check, tmp_path: Path
) -> None:
    """Where the route wants it."""
    authority = Authority(tmp_path)
    context = None if protocols is None else server_context(authority.issue())
    if context and protocols:
        context.set_alpn_protocols(protocols)
    async with Http2Server(ServerStream.respond, tls=context) as server:
        route = {"name": "a", "path": "/", "upstream": server.url, "grant": "none", "http2": True}
        if context:
            route["tls"] = {"ca_file": str(authority.ca_file)}
        finding = (await check({"routes": [route]})).step("upstream")
    assert finding["verdict"] == ("fail" if remedy else "pass")
    assert told in finding["summary"]
    assert remedy in finding["remedy"]


async def test_plain_http_1_1_where_http2_is_wanted(check: Check) -> None:
    """By its first bytes."""
    async with RawUpstream([response(status=b"400 Bad Request")]) as upstream:
        raw = {
            "routes": [{"name": "a", "path": "/", "upstream": upstream.url, "grant": "none", "http2": True}]
        }
        finding = (await check(raw)).step("upstream")
    assert finding["verdict"] == "fail"
    assert "Take http2 off the route" in finding["remedy"]


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
