"""Where a route takes its subject token from."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.models import Route
from proxy.config.shape import build_section
from proxy.demo import Demo
from proxy.downstream.request import Downstream
from proxy.errors import AuthorizationMalformed, AuthorizationServerUnavailable, SubjectTokenMissing
from proxy.gateway.caller_credentials import build_take_token
from proxy.http.forwarding import Forwarding
from proxy.http.withholding import CredentialNames
from tests.support.proxy import problem, running


async def test_the_token_may_stand_elsewhere(demo: Demo):
    """``token_in``: another header, or a query parameter; it goes no further."""
    raw = demo.settings()
    orders = raw["routes"][0]
    raw["routes"] = [
        orders | {"token_in": {"header": "X-User-Token", "scheme": ""}},
        orders
        | {
            "name": "query",
            "path": "/query",
            "path_rewrite": "/orders",
            "token_in": {"query": "access_token"},
        },
    ]
    token = demo.mint("alice")
    async with running(raw) as proxy:
        by_header = await proxy.client.get("/orders", headers={"X-User-Token": token})
        by_query = await proxy.client.get(f"/query/7?a=1&access_token={token}&b=2")
    assert by_header.json()["on_behalf_of"] == by_query.json()["on_behalf_of"] == "alice"
    assert (by_query.json()["path"], by_query.json()["query"]) == ("/orders/7", "a=1&b=2")
    assert "x-user-token" not in by_header.json()["headers"]


async def test_the_token_may_come_from_a_file(demo: Demo, tmp_path):
    """``subject_token_file``: one fixed user, read again when the file changes, and verified all the same."""
    file = tmp_path / "token"
    file.write_text(demo.mint("alice") + "\n")
    raw = demo.settings()
    raw["routes"] = [raw["routes"][0] | {"subject_token_file": str(file)}]
    async with running(raw) as proxy:
        assert (await proxy.get("/orders")).json()["on_behalf_of"] == "alice"
        file.write_text(demo.mint("bob") + " \n")
        assert (await proxy.get("/orders", demo.mint("alice"))).json()["on_behalf_of"] == "bob"
        file.write_text("nonsense\n")
        assert problem(await proxy.get("/orders")) == (401, "subject_token_invalid")


def take(route: dict[str, Any], fields: dict[bytes, list[bytes]], query: bytes = b"") -> str:
    """What ``route`` takes of a request with these fields."""
    settings = build_section(Route, {"name": "a", "path": "/", "upstream": "http://a", **route})
    headers = [(name, value) for name, lines in fields.items() for value in lines]
    names = CredentialNames(headers=["X-User-Token"], parameters=["access_token"])
    scope = {
        "method": "GET", "scheme": "http", "http_version": "1.1", "raw_path": b"/", "query_string": query,
        "headers": headers,
    }  # fmt: skip
    return build_take_token(settings)(Downstream(scope, None, None, Forwarding((), names)))


HEADER = {"token_in": {"header": "X-User-Token", "scheme": ""}}
SCHEME = {"token_in": {"header": "X-User-Token", "scheme": "JWT"}}
QUERY = {"token_in": {"query": "access_token"}}


@pytest.mark.parametrize(
    ("route", "fields", "query", "token"),
    [
        ({}, {b"authorization": [b"Bearer a.b"]}, b"", "a.b"),
        ({}, {b"authorization": [b"bEaReR a.b"]}, b"", "a.b"),
        (HEADER, {b"x-user-token": [b"a.b"]}, b"", "a.b"),
        (SCHEME, {b"x-user-token": [b"jwt a.b"]}, b"", "a.b"),
        (QUERY, {}, b"x=1&access_token=a.b&y", "a.b"),
        (QUERY, {}, b"access%5Ftoken=a%2Eb", "a.b"),
    ],
    ids=["authorization", "case of the scheme", "header", "header with scheme", "query", "encoded query"],
)
def test_where_a_token_is_found(route, fields, query, token):
    """A-01: where the route says, and nowhere else."""
    assert take(route, fields, query) == token


@pytest.mark.parametrize(
    ("route", "fields", "query", "error"),
    [
        ({}, {}, b"access_token=a.b", SubjectTokenMissing),
        ({}, {b"x-user-token": [b"a.b"]}, b"", SubjectTokenMissing),
        ({}, {b"cookie": [b"access_token=a.b"]}, b"", SubjectTokenMissing),
        (HEADER, {b"authorization": [b"Bearer a.b"]}, b"", SubjectTokenMissing),
        (SCHEME, {b"x-user-token": [b"Bearer a.b"]}, b"", SubjectTokenMissing),
        (QUERY, {b"authorization": [b"Bearer a.b"]}, b"", SubjectTokenMissing),
        ({}, {b"authorization": [b"Bearer a.b", b"Bearer a.b"]}, b"", AuthorizationMalformed),
        (HEADER, {b"x-user-token": [b"a.b", b"c.d"]}, b"", AuthorizationMalformed),
        (QUERY, {}, b"access_token=a.b&access_token=a.b", AuthorizationMalformed),
    ],
)
def test_where_no_token_is_found(route, fields, query, error):
    """A-01, A-02: a token in another place is none, and two are one too many."""
    with pytest.raises(error):
        take(route, fields, query)


@pytest.mark.parametrize("content", [None, "caf\u00e9"], ids=["gone", "no ASCII"])
def test_a_file_that_cannot_be_read_is_not_the_callers_fault(tmp_path, content):
    """503 with the file's name as a remedy, and nothing of its content."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(AuthorizationServerUnavailable) as caught:
        take({"subject_token_file": str(file)}, {b"authorization": [b"Bearer a.b"]})
    assert str(file) in caught.value.remedy
    assert "caf" not in str(caught.value)
