"""Who acts for the user: chains of actors, and whom the user's token names."""

from __future__ import annotations

import pytest

from proxy.authentication.claims import read_actors
from proxy.errors import ExchangeDenied
from proxy.exchange.actors import ActorToken, check_actors, check_may_act
from proxy.exchange.token_exchange import TokenRequest

from ..support.caching import make_subject_token
from ..support.exchanging import GOOD, answer, exchanging


def chain(*subjects):
    """An ``act`` claim, the latest first."""
    act = None
    for subject in reversed(subjects):
        act = {"sub": subject} | ({} if act is None else {"act": act})
    return {} if act is None else {"act": act}


@pytest.mark.parametrize("subjects", [(), ("a",), ("a", "b", "c")])
def test_a_chain_is_read_from_the_latest_on(subjects):
    """RFC 8693 §4.1: the outermost acts now, the others did before."""
    assert read_actors(chain(*subjects)) == subjects


@pytest.mark.parametrize("act", ["agent", 5, [], {}, {"sub": ""}, True])
def test_an_actor_that_nobody_knows(act):
    """It counts as one, and is none of those that are allowed."""
    check_actors(read_actors({"act": act}), None, 1)
    with pytest.raises(ExchangeDenied):
        check_actors(read_actors({"act": act}), ["agent"], 4)
    with pytest.raises(ExchangeDenied):
        check_actors(read_actors({"act": act}), None, 0)


@pytest.mark.parametrize(
    ("subjects", "allowed", "most", "passes"),
    [
        ((), [], 0, True),
        (("a",), None, 1, True),
        (("a",), [], 4, False),
        (("a",), ["a"], 4, True),
        (("a", "b"), ["a"], 4, False),
        (("a", "b"), ["b", "a"], 2, True),
        (("a",) * 5, None, 4, False),
        (("a",) * 60, None, 64, True),
    ],
)
def test_chains(subjects, allowed, most, passes):
    """allowed_actors and max_actors: everybody in the chain counts."""
    if passes:
        check_actors(read_actors(chain(*subjects)), allowed, most)
        return
    with pytest.raises(ExchangeDenied) as caught:
        check_actors(read_actors(chain(*subjects)), allowed, most)
    assert (caught.value.remember_by, caught.value.remedy != "") == ("subject_token", True)


AGENT = ActorToken("t", "urn:x", {"sub": "agent", "iss": "https://as", "cid": "0oa1"})


def test_an_actors_token_shows_in_no_repr():
    assert repr(AGENT) == "ActorToken(type='urn:x')"


@pytest.mark.parametrize(
    ("may_act", "passes"),
    [
        ({"sub": "agent"}, True),
        ({"sub": "agent", "iss": "https://as"}, True),
        ({"sub": "other"}, False),
        ({"sub": "agent", "iss": "https://other"}, False),
        ({"sub": "agent", "client_id": "0oa1"}, False),
        ({}, False),
        ("agent", False),
        (["agent"], False),
        (False, False),
    ],
)
def test_whom_the_users_token_names(may_act, passes):
    """RFC 8693 §4.4: only the actor that it names, by each member."""
    subject_token = make_subject_token("alice", may_act=may_act)
    if passes:
        check_may_act(subject_token, AGENT)
        return
    with pytest.raises(ExchangeDenied, match="may_act"):
        check_may_act(subject_token, AGENT)


def test_a_token_that_names_nobody():
    """It leaves it to the authorization server."""
    check_may_act(make_subject_token("alice"), AGENT)


async def test_a_file_says_who_acts(tmp_path):
    """{file, type}: read at each use, sent with its type."""
    file = tmp_path / "actor"
    file.write_text("first")
    request = TokenRequest(
        "okta", "token_exchange", scopes=("orders:read",), actor_type="urn:x", actor_file=str(file)
    )
    async with exchanging(GOOD) as at:
        await at.server.grant(request, make_subject_token("alice"))
        file.write_text("second-actor")
        await at.server.grant(request, make_subject_token("alice"))
        sent = [(asked.form["actor_token"], asked.form["actor_token_type"]) for asked in at.asked]
    assert sent == [("first", "urn:x"), ("second-actor", "urn:x")]


async def test_a_denied_actor_costs_no_call():
    """The user's token says no; the authorization server is not asked, and the log says whom it was about."""
    request = TokenRequest("okta", "token_exchange", scopes=("orders:read",), allowed_actors=("agent",))
    async with exchanging(answer(500)) as at:
        with pytest.raises(ExchangeDenied):
            await at.server.grant(request, make_subject_token("alice", **chain("mallory", "agent")))
        [record] = at.records
    assert at.asked == []
    assert record.fields()["actors"] == "mallory agent"
