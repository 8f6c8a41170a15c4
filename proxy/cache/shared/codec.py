"""Answers of the authorization server as bytes, for replicas that may be of another version.

What is read was sealed by a replica of ours, so it is not hostile; it may still be of another shape.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from ...errors import ExchangeDenied, ProxyError, StepUpRequired, SubjectTokenRefused
from ...exchange.token_exchange import build_access_token
from ..replicas import Answer
from ..single_flight import Outcome

_REFUSALS: Final = {kind.code: kind for kind in (SubjectTokenRefused, ExchangeDenied, StepUpRequired)}


def encode_answer(answer: Answer) -> bytes:
    """JSON; a refusal must be one that is a user's."""
    end = answer.subject_expires_at
    content = {
        "asker": answer.asker.hex(),
        "obtained_at": answer.obtained_at,
        "subject_expires_at": None if math.isinf(end) else end,
    }
    return json.dumps(content | _encode_outcome(answer.outcome)).encode()


def decode_answer(content: bytes) -> Answer | None:
    """None for what cannot be read."""
    try:
        members = json.loads(content)
        end = members["subject_expires_at"]
        return Answer(
            _decode_outcome(members),
            math.inf if end is None else float(end),
            float(members["obtained_at"]),
            bytes.fromhex(members["asker"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _encode_outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, ProxyError):
        return {"code": outcome.code, "reason": str(outcome), "fields": vars(outcome)}
    return {
        "access_token": outcome.value,
        "token_type": outcome.token_type,
        "expires_at": outcome.expires_at,
        "scopes": outcome.scopes,
    }


def _decode_outcome(members: dict[str, Any]) -> Outcome:
    if "code" in members:
        refusal = _REFUSALS[members["code"]](members["reason"])
        for name in vars(refusal).keys() & members["fields"].keys():
            value = members["fields"][name]
            setattr(refusal, name, tuple(value) if isinstance(value, list) else value)
        return refusal
    return build_access_token(
        members["access_token"],
        members["token_type"],
        members["expires_at"],
        tuple(members["scopes"]),
    )
