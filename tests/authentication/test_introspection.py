"""RFC 7662: an introspection answer is held to what a JWT is held to."""

import pytest

from proxy.authentication.claims import SubjectTokenPolicy
from proxy.authentication.introspection import verify_introspection
from proxy.errors import SubjectTokenExpired, SubjectTokenInvalid
from tests.support.issuer import AUDIENCE, ISSUER, NOW

POLICY = SubjectTokenPolicy(ISSUER, AUDIENCE)
ANSWER = {
    "active": True,
    "token_type": "Bearer",
    "username": "alice@example.com",
    "client_id": "0oaclient",
    "aud": AUDIENCE,
    "scope": "openid",
    "exp": int(NOW) + 60,
}


def test_accepted():
    """The issuer is the one we asked, and the user's name stands for the subject where there is none."""
    claims = verify_introspection(ANSWER, POLICY, NOW)
    assert claims["iss"] == ISSUER
    assert claims["sub"] == "alice@example.com"
    assert "active" not in claims
    assert verify_introspection(ANSWER | {"sub": "00u1"}, POLICY, NOW)["sub"] == "00u1"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"active": False}, SubjectTokenInvalid),
        ({"active": "true"}, SubjectTokenInvalid),
        ({"active": 1}, SubjectTokenInvalid),
        ({"active": False, "exp": int(NOW) - 1}, SubjectTokenExpired),
        ({"exp": int(NOW) - 60}, SubjectTokenExpired),
        ({"exp": "soon"}, SubjectTokenInvalid),
        ({"aud": "other"}, SubjectTokenInvalid),
        ({"iss": "https://other"}, SubjectTokenInvalid),
        ({"username": ""}, SubjectTokenInvalid),
        ({"token_type": "DPoP"}, SubjectTokenInvalid),
        ({"token_type": "refresh_token"}, SubjectTokenInvalid),
        ({"cnf": {"jkt": "x"}}, SubjectTokenInvalid),
    ],
)
def test_refused(changes, error):
    """A token that is not active, or not for us, is refused."""
    with pytest.raises(error):
        verify_introspection(ANSWER | changes, POLICY, NOW)


@pytest.mark.parametrize("name", ["aud", "exp", "username"])
def test_nothing_left_out(name):
    """Audience, end and subject must be told."""
    answer = {key: value for key, value in ANSWER.items() if key != name}
    with pytest.raises(SubjectTokenInvalid):
        verify_introspection(answer, POLICY, NOW)


def test_empty_answer():
    """An empty answer vouches for nothing."""
    with pytest.raises(SubjectTokenInvalid):
        verify_introspection({}, POLICY, NOW)
