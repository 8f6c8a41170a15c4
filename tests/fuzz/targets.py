"""What is fuzzed, and the seeds from which it begins."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.http import answers, framing, heads, targets
from tests.support.issuer import NOW, b64

from . import tokens, wire


class Target(NamedTuple):
    """``check`` raises where an invariant does not hold."""

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]


def _said(answer: answers.Answer) -> bytes:
    return b"\x80" + b"".join(step for step in answer.script if isinstance(step, bytes))[:4096]


def _signed(**claims: object) -> bytes:
    payload = {**tokens.ISSUER_OF_ALL.claims(), **claims}
    return b'{"alg":"EdDSA","kid":"key-1"}\n' + json.dumps(payload).encode()


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
    "token": Target(tokens.verify_token, [tokens.GENUINE.encode(), b"a.b.c", b""]),
    "claims": Target(
        tokens.verify_claims, [_signed(), _signed(exp=1e400), _signed(sub="\ud800"), _signed(aud=[1, None])]
    ),
    "answer": Target(
        tokens.parse_answer,
        [json.dumps(_ANSWER | more).encode() for more in ({}, {"expires_in": "1"}, {"access_token": _JWT})],
    ),
    "response": Target(wire.read_response_of_upstream, list(map(_said, answers.ANSWERS))),
}
