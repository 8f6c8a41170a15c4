"""The steps that look at the user's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from proxy.authentication.subject_token import SubjectToken, UnverifiedToken
from proxy.authentication.verifier import Accepted, Verifier
from proxy.demo import Demo
from proxy.diagnosis.subject import examine_subject_token
from proxy.errors import SubjectTokenExpired

from .examining import CLOCK, building, examine, verdicts


async def test_a_token_without_iat(demo: Demo) -> None:
    """RFC 7519 lets it be left out."""
    diagnosis = await examine(demo, demo.mint("alice", claims={"iat": None}))
    assert diagnosis.ok
    [times] = [finding for finding in diagnosis.findings if finding.step == "times"]
    assert times.summary == "ends in 1 h"


@pytest.mark.parametrize("token", ["", "a.b.c", None, "Bearer x.y.z", "\u202e"])
async def test_what_is_no_token(token: str | None, demo: Demo) -> None:
    """Its form fails, and all else cannot be told."""
    steps = verdicts(await examine(demo, token))
    assert steps.pop("token") == "fail"
    assert set(steps.values()) == {"skip"}


class Refusing:
    """Knows the issuers, and accepts nothing."""

    def __init__(self, other: Verifier) -> None:
        self.other = other

    def choose(self, token: UnverifiedToken | None) -> Sequence[Accepted]:
        return self.other.choose(token)

    async def verify(self, token: str, *, bound: bool = False) -> SubjectToken:
        raise SubjectTokenExpired("it has ended meanwhile")


async def test_the_verifier_has_the_last_word(demo: Demo) -> None:
    """No step's success makes a token accepted that the verifier refuses."""
    async with building(demo.settings()) as parts:
        refusing = cast("Verifier", Refusing(parts.verifiers[0]))
        examined = await examine_subject_token(demo.mint("alice"), refusing, CLOCK)
    assert examined.subject_token is None
    assert [finding.step for finding in examined.findings if finding.verdict == "fail"] == ["verification"]
