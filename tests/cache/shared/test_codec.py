"""Answers as bytes."""

import json
import math

import pytest

from proxy.cache.replicas import Answer
from proxy.cache.shared.codec import decode_answer, encode_answer
from proxy.cache.single_flight import Outcome
from proxy.errors import ExchangeDenied, ProxyError, StepUpRequired, SubjectTokenRefused
from proxy.exchange.token_exchange import build_access_token

from ...support.replicas import ALICE, KEYS, replicas
from .building import names_of


async def test_what_was_sealed_under_a_name_but_is_no_answer_is_not_there(redis, store):
    """C-21: a value of another version's shape is a miss."""
    async with replicas(redis.url) as (one, two):
        await one.get(ALICE)
        await one.settle()
        (name,) = await names_of(store, "answer")
        mark = KEYS[0].open(name, await store.get(name))[:16]
        for content in (
            b"{}",
            b"[]",
            b"nonsense",
            b'{"obtained_at": "x", "subject_expires_at": 1, "code": "y"}',
        ):
            await store.set(name, KEYS[0].seal(name, mark + content))
            two.forget_all()
            await two.get(ALICE)
            await two.settle()
        assert two.source.calls == 4


TOKEN = build_access_token("t.o.k", "Bearer", 1_795_219_674.5, ("a", "b"))
STEP_UP = StepUpRequired("stronger", oauth_error="insufficient", acr_values=("phr", "loa2"), max_age=300)
DENIED = ExchangeDenied("no", remember_for=30, remember_by="subject_token", oauth_error="access_denied")


@pytest.mark.parametrize(
    "outcome",
    [TOKEN, build_access_token("t.o.k", "DPoP", None, ()), DENIED, STEP_UP, SubjectTokenRefused("é \u2028")],
    ids=["bearer", "dpop without an end", "denied", "step-up", "no ASCII"],
)
@pytest.mark.parametrize("end", [1_795_300_000.25, math.inf], ids=["an end", "no end"])
def test_an_answer_comes_back_as_it_was(outcome: Outcome, end: float):
    """C-22: a token with all that counts, a refusal with all that it asks for."""
    answer = decode_answer(encode_answer(Answer(outcome, end, 1_795_216_074.125, b"\0asker\xff")))
    assert answer is not None
    assert (answer.subject_expires_at, answer.obtained_at, answer.asker) == (
        end,
        1_795_216_074.125,
        b"\0asker\xff",
    )
    if isinstance(outcome, ProxyError):
        assert type(answer.outcome) is type(outcome)
        assert (str(answer.outcome), vars(answer.outcome)) == (str(outcome), vars(outcome))
    else:
        assert answer.outcome == outcome
        assert answer.outcome.value == "t.o.k"


GOOD = json.loads(encode_answer(Answer(TOKEN, math.inf, 1.0, b"a")))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        json.dumps({key: value for key, value in GOOD.items() if key != "asker"}).encode(),
        json.dumps({key: value for key, value in GOOD.items() if key != "access_token"}).encode(),
        json.dumps({**GOOD, "obtained_at": "yesterday"}).encode(),
        json.dumps({**GOOD, "asker": "no hex"}).encode(),
        json.dumps({**GOOD, "scopes": None}).encode(),
        json.dumps({**GOOD, "code": "no_route", "reason": "", "fields": {}}).encode(),
        json.dumps({**GOOD, "code": "exchange_denied", "reason": ""}).encode(),
    ],
    ids=[
        "nothing", "no text", "a list", "null", "no asker", "no token", "no time", "no bytes", "no scopes",
        "a refusal that is no user's", "a refusal without fields",
    ],
)  # fmt: skip
def test_another_versions_answer_is_none(content: bytes):
    """C-21: a miss, and no error."""
    assert decode_answer(content) is None


def test_members_of_a_later_version_do_no_harm():
    """Replicas of two versions share while they are replaced: neither adds fields to the other's errors."""
    refused = json.loads(encode_answer(Answer(DENIED, math.inf, 1.0, b"a")))
    refused["fields"]["status"] = 200
    refused["later"] = True
    answer = decode_answer(json.dumps(refused).encode())
    assert answer is not None
    assert vars(answer.outcome) == vars(DENIED)
