"""The types of tokens: asked for by name or URI, and what the answer may call them."""

from __future__ import annotations

import pytest

from proxy.errors import ExchangeResponseInvalid
from proxy.exchange.token_types import (
    ACCESS_TOKEN,
    ID_JAG,
    JWT,
    TOKEN_TYPE,
    build_uri,
    check_issued_token_type,
    parse_token_type,
)

STS = "urn:okta:params:oauth:token-type:oauth-sts"
TXN = TOKEN_TYPE + "txn_token"


@pytest.mark.parametrize(
    ("name", "uri"), [("jwt", JWT), (STS, STS), ("https://a.example/t", "https://a.example/t")]
)
def test_names_and_uris(name, uri):
    """A short name is the IETF's, an absolute URI stands for itself."""
    assert build_uri(name) == uri


@pytest.mark.parametrize(
    ("value", "requested", "found"),
    [
        ("bearer", None, "Bearer"),
        ("DPoP", ACCESS_TOKEN, "DPoP"),
        ("Bearer", JWT, "Bearer"),
        ("N_A", JWT, "N_A"),
        ("n_a", ID_JAG, "N_A"),
        ("Bearer", ID_JAG, "N_A"),
        ("N_A", TXN, "N_A"),
        ("Bearer", STS, "Bearer"),
        ("N_A", STS, "N_A"),
    ],
)
def test_token_types_that_are_taken(value, requested, found):
    """RFC 8693 §2.2.1: N_A is what cannot be used as an access token; an ID-JAG is never anything else."""
    assert parse_token_type(value, requested) == found


@pytest.mark.parametrize(
    ("value", "requested"),
    [
        ("N_A", None),
        ("N_A", ACCESS_TOKEN),
        ("Bearer", TXN),
        ("DPoP", TXN),
        ("Bearer", TOKEN_TYPE + "saml2"),
        ("DPoP", ID_JAG),
        ("mac", STS),
        (None, ID_JAG),
        (5, None),
    ],
)
def test_token_types_that_are_refused(value, requested):
    """X-03: Bearer on what is N_A, and N_A on what was to be shown to an API."""
    with pytest.raises(ExchangeResponseInvalid, match="token_type"):
        parse_token_type(value, requested)


@pytest.mark.parametrize(
    ("value", "requested"),
    [(None, None), (ACCESS_TOKEN, None), (JWT, None), (None, JWT), (JWT, JWT), (ID_JAG, ID_JAG), (STS, STS)],
)
def test_issued_types_that_are_taken(value, requested):
    """What was asked for; without a wish, or a word, an access token."""
    check_issued_token_type(value, requested)


@pytest.mark.parametrize(
    ("value", "requested"),
    [
        (ID_JAG, None),
        (STS, None),
        ("", None),
        (ACCESS_TOKEN, JWT),
        (JWT, ACCESS_TOKEN),
        (ACCESS_TOKEN, ID_JAG),
        (None, ID_JAG),
        (None, STS),
        (ID_JAG, STS),
        (["urn:x"], STS),
    ],
)
def test_issued_types_that_are_refused(value, requested):
    """X-04: the answer is held to what was asked for."""
    with pytest.raises(ExchangeResponseInvalid, match="issued_token_type"):
        check_issued_token_type(value, requested)
