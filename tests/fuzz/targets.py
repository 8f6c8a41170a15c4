"""What is fuzzed, and the seeds from which it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from proxy.jose.encoding import decode_base64url
from tests.support.issuer import NOW, b64
from tests.wire import answers, framing, heads, targets

from . import connection, http2, tokens, wire


class Target(NamedTuple):
    """``check`` raises where an invariant does not hold."""

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]


def _said(answer: answers.Answer) -> bytes:
    return b"\x80" + b"".join(step for step in answer.script if isinstance(step, bytes))[:4096]


def _signed(**claims: object) -> bytes:
    payload = {**tokens.ISSUER_OF_ALL.claims(), **claims}
    return b'{"alg":"EdDSA","kid":"key-1"}\n' + json.dumps(payload).encode()


def _proved(header: dict[str, object] | None = None, **claims: object) -> bytes:
    proof = tokens.PROVER.prove(tokens.PROVEN_URL, tokens.PROVEN_TOKEN, header=header, iat=NOW, **claims)
    return b"\n".join(decode_base64url(part) for part in proof.split(".")[:2])


_POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n\xfe\0"
_BODY = b"8000\r\n\xfe\0x\xfe\x0f\r\n\xfe\0"  # 32 KiB
_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\xfe\0"
)
_MASK = b"\0\0\0\0"
_CONNECTIONS = [
    connection.build(program, does=does, reads=reads, piece=piece, head=_HANDSHAKE in program)
    for does, reads, piece, program in [
        (0, True, 4096, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (0, True, 4096, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\xfe\x0a"),
        (2, True, 4096, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\xfe\x0a"),
        (0, False, 509, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\xfe\x0e"),
        (0, True, 7, b"GET / HTTP/1.1\r\nA: \xfe\0b\xfe\x10"),
        (0, True, 65536, b"GET / HTTP/1.1\r\n\xfe\0A: b\r\n\xfe\x10"),
        (0, True, 4096, b"GET /\xfe\0a\xfe\x10"),
        (0, True, 65536, _POST + b"Content-Length: 65536\r\n\r\n\xfe\0x\xfe\x10" + _POST + b"\r\n"),
        (3, True, 16384, _POST + b"Content-Length: 1000000\r\n\r\n\xfe\0x\xfe\x12"),
        (0, True, 509, _CHUNKED + b"5\r\nhello\r\n\xfe\x0a0\r\nA: b\r\n\r\n" + _POST + b"\r\n"),
        (0, False, 4096, _CHUNKED + _BODY * 8),
        (2, True, 4096, _CHUNKED + b"2\r\nxx\r\n\xfe\x10"),
        (0, True, 4096, _CHUNKED + b"5;a=\xfe\0b\xfe\x11\r\nhello"),
        (0, True, 4096, _CHUNKED + _BODY + b"0\r\nA: \xfe\0a\xfe\x13"),
        (0, True, 65536, _CHUNKED + _BODY + b"0\r\n\xfe\0A: b\r\n\xfe\x11"),
        (
            0,
            True,
            4096,
            _POST + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nhi\xfe\x08",
        ),
        (0, True, 4096, b"GET / HTTP/1.1\r\n\r\n\xfe\0x\xfe\x10"),
        (0, True, 4096, _HANDSHAKE + b"\x89\x80" + _MASK + b"\xfe\x0c"),
        (0, False, 65536, _HANDSHAKE + b"\x89\xfd" + _MASK + b"x" * 125 + b"\xfe\x13"),
        (2, True, 65536, _HANDSHAKE + b"\x89\x80" + _MASK + b"\xfe\x13"),
        (1, True, 65536, _HANDSHAKE + b"\x89\x80" + _MASK + b"\xfe\x13"),
        (3, True, 65536, _HANDSHAKE + b"\x82\x80" + _MASK + b"\xfe\x13"),
        (
            0,
            True,
            65536,
            _HANDSHAKE + b"\x02\x80" + _MASK + b"\xfe\0\0\x80" + _MASK + b"\xfe\x0c\x80\x80" + _MASK,
        ),
        (0, True, 65536, _HANDSHAKE + b"\x82\xff\0\0\0\0\0\x04\0\0" + _MASK + b"\xfe\0x\xfe\x12"),
        (0, True, 4096, _HANDSHAKE + b"\x88\x82" + _MASK + b"\x03\xe8\xfe\0\x89\x80" + _MASK + b"\xfe\x05"),
    ]
]
_ANSWER = {"access_token": "a.b", "token_type": "Bearer", "expires_in": 3600, "scope": "orders:read"}
_JWT = f"{b64({'alg': 'RS256'})}.{b64({'aud': 'api://orders', 'exp': NOW + 60})}.{b64(b'x')}"

TARGETS = {
    "head": Target(
        wire.read_head, [b"\x80" + shape.data[:4096] for shape in [*framing.SHAPES, *heads.SHAPES]]
    ),
    "headers": Target(
        wire.rewrite_headers,
        [
            b"connection:close,x-hop\nx-hop:1\ncookie:a=b\ncookie:c",
            *(name.lower().replace(b"-", b"_") + b":1" for name in targets.IDENTITIES),
            *(b"connection:" + name.lower() + b"\n" + name.lower() + b":1" for name in targets.IDENTITIES),
        ],
    ),
    "path": Target(
        wire.refuse_path,
        [
            target.lstrip(b"/").replace(b"profile", b"orders/admin")
            for target in targets.KEPT + targets.REFUSED
        ],
    ),
    "connection": Target(connection.hold_little, _CONNECTIONS),
    "token": Target(tokens.verify_token, [tokens.GENUINE.encode(), b"a.b.c", b""]),
    "claims": Target(
        tokens.verify_claims, [_signed(), _signed(exp=1e400), _signed(sub="\ud800"), _signed(aud=[1, None])]
    ),
    "proof": Target(
        tokens.verify_callers_proof,
        [
            *(_proved(), _proved(nonce="n"), _proved(jti="\ud800"), _proved(htu="https://[")),
            *(_proved({"jwk": jwk}) for jwk in ({"kty": "RSA", "n": "", "e": "AQAB"}, {"kty": []}, [], None)),
            _proved({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "alg": "ES256"}),
        ],
    ),
    "answer": Target(
        tokens.parse_answer,
        [json.dumps(_ANSWER | more).encode() for more in ({}, {"expires_in": "1"}, {"access_token": _JWT})],
    ),
    "response": Target(wire.read_response_of_upstream, list(map(_said, answers.ANSWERS))),
    "http2_server": Target(http2.serve, http2.SEEDS),
    "http2_client": Target(http2.ask, http2.SEEDS),
}
