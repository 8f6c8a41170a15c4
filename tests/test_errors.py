"""The tree of refusals: each says to its caller and to its operator what is needed, and nothing else."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

import pytest

from proxy import errors
from proxy.errors import ExchangeError, ProxyError, RequestRefused, SubjectTokenError, UpstreamError

BRANCHES = (RequestRefused, SubjectTokenError, ExchangeError, UpstreamError)


def below(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


KINDS = [kind for kind in below(ProxyError) if kind not in BRANCHES and kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_has_its_row(kind: type[ProxyError]):
    """X-22: a status, a stable code, fixed texts for the caller and a remedy for the operator."""
    assert 400 <= kind.status < 600
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.title
    assert kind.detail.endswith(".")
    assert kind().remedy.endswith(".")
    assert issubclass(kind, BRANCHES)


def test_no_two_kinds_share_a_code():
    """Programs tell refusals apart by it, and so does the log."""
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_challenges_are_for_what_another_token_would_mend(kind: type[ProxyError]):
    """A-04: 401s have one (RFC 9110 §15.5.2), and nothing that is our or the upstream's fault has."""
    if kind.status == 401:
        assert kind.challenge is not None
    if kind.status >= 500 or issubclass(kind, RequestRefused):
        assert kind.challenge is None
    assert kind.challenge is None or re.fullmatch("[a-z_]*", kind.challenge)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_whole_story_is_for_the_log(kind: type[ProxyError]):
    """X-21: the reason changes nothing of what the caller reads; without one the title stands for it."""
    error = kind("a reason", remedy="do this")
    assert (str(error), error.remedy) == ("a reason", "do this")
    assert (error.title, error.detail) == (kind.title, kind.detail)
    assert str(kind()) == kind.title


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_copy_says_the_same(kind: type[ProxyError]):
    """What is remembered is raised as an instance of its own."""
    error = kind("a reason", remedy="do this")
    again = copy.copy(error)
    assert type(again) is kind
    assert (str(again), vars(again)) == (str(error), vars(error))
