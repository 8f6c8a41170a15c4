"""Ways to ask for what is not one's own, or to bring a token past the gateway: targets, fields and heads."""

# ruff: noqa: E501  a row of a table stays one line

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import product

# Each leads to a route's path, or may to some reader.
SOUND_TARGETS = ["/orders", "/orders/", "/orders/1", "/orders/1?a=b", "/orders/a%20b", "/profile", "/profile/x?y=%2F",
                 "/orders/profile", "/orders/profile/z", "/orders/~a/(b)", "/orders/1?", "/orders?x=../profile"]  # fmt: skip
ODD_TARGETS = [
    "/orders/../profile", "/orders/%2e%2e/profile", "/orders/%2E./profile", "/orders/..%2fprofile", "/orders%2f..%2fprofile",
    "/orders/..;/profile", "/orders/..;a=b/profile", "/orders;/../profile", "/orders/.%2e/profile", "/orders/%252e%252e/profile",
    "//orders", "//profile/../orders", "/orders//profile", "/orders/./profile", "/./profile", "/orders/%2fprofile", "/%6frders",
    "/%70rofile", "/orders/%70rofile", "/orders\\..\\profile", "/orders/%5c../profile", "/orders%00/profile", "/orders/%00",
    "/orders%2fprofile", "/orders/profile%2f..%2f..%2fpayroll", "/profile/..%2forders", "/payroll/../orders", "/payroll/%2e%2e/orders",
    "/Orders", "/ORDERS/PROFILE", "/orders#/profile", "/orders%23/profile", "/orders?/../profile", "/orders%3f/profile",
    "/orders/..", "/orders/.", "/orders/%2e", "/orders/...", "/orders/%c0%ae%c0%ae/profile", "/orders/%e0%80%ae./profile",
    "/orders/%u002e%u002e/profile", "/ordersx", "/orders.", "/orders%20", "/orders /profile", "/orders\t/profile", "/",
    "", "*", "orders", "http://localhost/orders", "http://localhost/profile", "http://other.example/orders", "https://localhost/orders",
    "http://localhost/orders/../profile", "http://localhost", "//localhost/orders", "/_obo", "/_obo/", "/nginx", "/envoy/orders",
    "/forward", "/AuthorizationHeader/orders", "/AuthorizationHeaderUnauthenticated/orders", "/orders/" + "a/" * 200 + "%2e%2e",
    "/orders/é", "/profile;a=b", "/orders;a=b/1", "/orders/1;/../../profile", "/orders/%",  "/orders/%zz", "/orders/%2",
]  # fmt: skip
METHODS = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "FOO",
    "GET,POST",
]
# A caller that tells the gateway's own fields, in this and that spelling.
SPOOFED = ["X-Forwarded-Uri", "X-Original-URI", "X-Forwarded-Method", "X-Original-Method", "X-Forwarded-Host", "X-Forwarded-Proto",
           "X_Forwarded_Uri", "X_Original_URI", "x-original-uri", "X-Envoy-Original-Path", "X-Rewrite-URL", "X-Original-URL",
           "X-Forwarded-Prefix", "X-Obo-Code", "X-Envoy-Auth-Headers-To-Remove", "X-Envoy-External-Address", "Forwarded"]  # fmt: skip
PLACES = ["Cookie: session={}", "X-Copy: {}", "X-Api-Key: {}", "Proxy-Authorization: Bearer {}", "X-Forwarded-Access-Token: {}",
          "X-Auth-Request-Access-Token: {}", "X-Amzn-Oidc-Accesstoken: {}", "Referer: http://localhost/?access_token={}",
          "DPoP: {}", "Via: 1.1 {}", "X-Request-Id: {}", "Traceparent: {}", "Forwarded: for={}", "Authorization_: Bearer {}",
          "X-Authorization: Bearer {}", "Sec-WebSocket-Protocol: {}", "User-Agent: {}", "Accept: {}", "Origin: {}",
          "Cookie: a=%20{}%20", "X-Copy: a=%2562; {}", "Set-Cookie: {}", "Warning: 199 {}"]  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """``sound``: every gateway serves it."""

    name: str
    request: bytes
    sound: bool = False


def build_shapes(token: str, other: str) -> list[Shape]:
    """Requests of whoever has ``token``, and in some of them ``other``."""
    bearer = f"Authorization: Bearer {token}"
    shapes = [_build(f"sound {target}", target, bearer, sound=True) for target in SOUND_TARGETS]
    shapes += [_build(f"target {target}", target, bearer) for target in ODD_TARGETS]
    shapes += [
        _build(f"POST {target}", target, bearer, "Content-Length: 0", method="POST") for target in ODD_TARGETS
    ]
    shapes += [_build(f"method {method}", "/orders", bearer, method=method) for method in METHODS]
    shapes += [
        _build(f"{name} {value}", target, bearer, f"{name}: {value}")
        for name, (target, value) in product(
            SPOOFED, [("/orders", "/profile"), ("/profile", "GET"), ("/payroll", "/orders")]
        )
    ]
    shapes += [_build(f"copy {place}", "/orders", bearer, place.format(token)) for place in PLACES]
    shapes += [_build(f"alone {place}", "/orders", place.format(token)) for place in PLACES]
    return [*shapes, *_build_credentials(token, other), *_build_heads(bearer)]


def _build(
    name: str, target: str, *lines: str, method: str = "GET", sound: bool = False, host: str = "localhost"
) -> Shape:
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, "", ""])
    return Shape(name, head.encode("latin-1"), sound)


def _build_credentials(token: str, other: str) -> list[Shape]:
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    many = {
        "none": [],
        "two": [f"Authorization: Bearer {token}", f"Authorization: Bearer {other}"],
        "the same twice": [f"Authorization: Bearer {token}"] * 2,
        "an empty one first": ["Authorization:", f"Authorization: Bearer {token}"],
        "an empty one last": [f"Authorization: Bearer {token}", "Authorization:"],
        "joined": [f"Authorization: Bearer {token}, Bearer {other}"],
        "basic first": ["Authorization: Basic YTpi", f"Authorization: Bearer {token}"],
        "basic": ["Authorization: Basic YTpi"],
        "no scheme": [f"Authorization: {token}"],
        "a scheme alone": ["Authorization: Bearer"],
        "two spaces": [f"Authorization: Bearer  {token}"],
        "a tab": [f"Authorization: Bearer\t{token}"],
        "something behind": [f"Authorization: Bearer {token} x"],
        "a quote": [f'Authorization: Bearer "{token}"'],
        "DPoP": [f"Authorization: DPoP {token}"],
        "folded": [f"Authorization: Bearer\r\n {token}"],
        "space before the colon": [f"Authorization : Bearer {token}"],
        "nominated": [f"Authorization: Bearer {token}", "Connection: authorization"],
        "a copy nominated": [f"Authorization: Bearer {token}", "Connection: x-copy", f"X-Copy: {token}"],
        "subprotocol": [
            f"Authorization: Bearer {token}",
            f"Sec-WebSocket-Protocol: chat, base64url.bearer.authorization.obo.{encoded}",
        ],
        "garbage": ["Authorization: Bearer a.b.c"],
    }
    shapes = [_build(f"credentials {name}", "/orders", *lines) for name, lines in many.items()]
    bearer = f"Authorization: Bearer {token}"
    queries = [
        f"access_token={token}",
        f"a=b&x={other}&c=",
        f"x=%20{token}",
        f"x={token.replace('.', '%2e')}",
    ]
    shapes += [
        _build(f"query {query[:14]}", f"/orders?{query}", bearer) for query in queries[:1] + queries[2:]
    ]
    return [
        *shapes,
        _build("path", f"/orders/{token}", bearer),
        _build("query alone", f"/orders?{queries[0]}"),
    ]


def _build_heads(bearer: str) -> list[Shape]:
    heads = {
        "two hosts": f"GET /orders HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n{bearer}\r\nConnection: close\r\n\r\n",
        "no host": f"GET /orders HTTP/1.1\r\n{bearer}\r\nConnection: close\r\n\r\n",
        "an odd host": f"GET /orders HTTP/1.1\r\nHost: a b\r\n{bearer}\r\nConnection: close\r\n\r\n",
        "HTTP/1.0": f"GET /orders HTTP/1.0\r\nHost: localhost\r\n{bearer}\r\n\r\n",
        "HTTP/1.0 without a host": f"GET /orders HTTP/1.0\r\n{bearer}\r\n\r\n",
        "HTTP/0.9": "GET /orders\r\n\r\n",
        "bare line feeds": f"GET /orders HTTP/1.1\nHost: localhost\n{bearer}\nConnection: close\n\n",
        "length and chunks": f"POST /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: close\r\n"
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunks": f"POST /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: close\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "a trailer": f"POST /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: close\r\nTrailer: Authorization\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{bearer}\r\n\r\n",
        "a pipeline": f"GET /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"
        "GET /profile HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "an upgrade": f"GET /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
        "expect": f"POST /orders HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nConnection: close\r\nExpect: x\r\n"
        "Content-Length: 0\r\n\r\n",
        "no hops left": "OPTIONS /orders HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
        "a preflight": "OPTIONS /orders HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.example\r\n"
        "Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n",
    }  # fmt: skip
    return [Shape(f"head {name}", head.encode("latin-1")) for name, head in heads.items()]
