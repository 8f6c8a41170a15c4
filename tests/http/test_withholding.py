"""A caller's credentials, in whatever spelling, in nothing that goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import AuthorizationMalformed
from proxy.http.withholding import (
    MOST,
    CredentialNames,
    holds,
    refuse_copies,
    refuse_many,
    withhold,
    withhold_from_query,
    withhold_from_subprotocols,
)
from tests.support.issuer import b64

OPAQUE = b"ab+cd/m2.CBAl-J6q5~n_w"  # of every character that a token may have
PADDED = OPAQUE + b"=="


def encode(token: bytes, escape: Callable[[int], bytes | None]) -> bytes:
    return b"".join(escape(byte) or bytes([byte]) for byte in token)


def upper(byte: int) -> bytes:
    return b"%%%02X" % byte


def lower(byte: int) -> bytes:
    return b"%%%02x" % byte


SPELLINGS = {
    "as it is": OPAQUE,
    "reserved ones": OPAQUE.replace(b"+", b"%2B").replace(b"/", b"%2F"),
    "reserved ones in lower case": OPAQUE.replace(b"+", b"%2b").replace(b"/", b"%2f"),
    "only one of two": OPAQUE.replace(b"+", b"%2B"),
    "the dot": OPAQUE.replace(b".", b"%2E"),
    "all": encode(OPAQUE, upper),
    "all in lower case": encode(OPAQUE, lower),
    "every third": encode(OPAQUE, lambda byte: upper(byte) if byte % 3 == 0 else None),
    "upper and lower case": encode(OPAQUE, lambda byte: lower(byte) if byte % 2 else upper(byte)),
    "the first": b"%61" + OPAQUE[1:],
    "the last": OPAQUE[:-1] + b"%77",
    "twice": encode(encode(OPAQUE, upper), lambda byte: b"%25" if byte == 37 else None),
    "twice, in full": encode(encode(OPAQUE, upper), upper),
    "a URL in a URL": b"https%3A%2F%2Fa%2F%3Ft%3D" + OPAQUE.replace(b"+", b"%252B").replace(b"/", b"%252F"),
    "a broken escape before it": b"%zz%-" + OPAQUE.replace(b"+", b"%2B"),
    "too often": b"%" + b"25" * 20 + b"41" * 20,
}
each_spelling = pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
OTHERS = [
    b"",
    b"ab%2Bcd",
    OPAQUE[:-1],
    OPAQUE[1:] + b"%41",
    OPAQUE.upper(),
    encode(OPAQUE[:-1], upper),
    b"%25" * 30,
]


@each_spelling
def test_a_copy_is_found(spelled):
    """H-29: partly or wholly encoded, in either case, once or more often, amid other text."""
    assert holds([OPAQUE], spelled)
    assert holds([OPAQUE], b"a=%20b; c=<" + spelled + b">; d")


def test_any_of_several_is_found():
    """H-29: the longer ones, too, where the text is as long as the shortest."""
    secrets = [b"x" * 40, OPAQUE, b"y" * 20]
    assert all(holds(secrets, b"a" + encode(secret, upper)) for secret in secrets)
    assert not holds(secrets, b"x" * 39 + b"y" * 19)
    fields = [
        (b"a", b"x" * 41),
        (b"b", b"y" * 19),
        (b"cookie", b"y=" + b"y" * 20 + b"; x=" + b"x" * 40 + b"; c"),
    ]
    assert withhold(secrets, fields) == [(b"b", b"y" * 19), (b"cookie", b"c")]


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_no_copy(text):
    """What only looks like it goes on."""
    assert not holds([OPAQUE], text)


@each_spelling
def test_a_field_with_a_copy_goes(spelled):
    """H-29: of a cookie the one that holds it, else the field; all other fields stay as they are."""
    before, after = (b"accept", b"*/*"), (b"x-own", b"100%25")
    assert withhold([OPAQUE], [before, (b"referer", b"https://a/?t=" + spelled), after]) == [before, after]
    cookies = (b"cookie", b"a=1; t=" + spelled + b"; b=%20")
    assert withhold([OPAQUE], [before, cookies, after]) == [before, (b"cookie", b"a=1; b=%20"), after]
    assert withhold([OPAQUE], [(b"cookie", b"t=" + spelled), (b"cookie", b"c")]) == [(b"cookie", b"c")]


@each_spelling
def test_a_parameter_with_a_copy_goes(spelled):
    """H-29: the rest of the query stays byte for byte."""
    assert withhold_from_query([OPAQUE], b"?a=%41&t=" + spelled + b"&&b;c") == b"?a=%41&&b;c"
    assert withhold_from_query([OPAQUE], b"?" + spelled) == b""
    assert withhold_from_query([OPAQUE], b"?a=" + b"b" * 100) == b"?a=" + b"b" * 100
    assert withhold_from_query([OPAQUE], b"?") == b"?"


@each_spelling
def test_what_cannot_be_left_out_is_refused(spelled):
    """H-29: a path, or a field that we repeat, has no part to spare."""
    with pytest.raises(AuthorizationMalformed):
        refuse_copies([OPAQUE], b"/orders/" + spelled, [])
    with pytest.raises(AuthorizationMalformed, match="via"):
        refuse_copies([OPAQUE], b"/orders", [(b"host", b"a"), (b"via", b"1.1 " + spelled)])
    assert refuse_copies([OPAQUE], b"/orders/" + b"a" * 100, [(b"via", b"1.1 " + b"b" * 100)]) is None


@each_spelling
def test_a_subprotocol_with_a_copy_goes(spelled):
    """H-61: also where it is encoded as for another server."""
    encoded = "base64url.bearer.authorization.k8s.io." + b64(OPAQUE)
    assert withhold_from_subprotocols([OPAQUE], ["chat", spelled.decode(), encoded]) == ["chat"]


NAMES = CredentialNames(["X-User-Token"], ["access_token", "key"])
LONG = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("ended", "query", "secrets"),
    [
        ({}, b"", []),
        ({b"authorization": [b"Bearer " + LONG]}, b"", [LONG]),
        ({b"authorization": [b"Bearer  " + LONG + b"=="]}, b"", [LONG]),
        ({b"authorization": [b"DPoP " + LONG, b"Basic " + LONG[::-1]]}, b"", [LONG, LONG[::-1]]),
        ({b"authorization": [LONG]}, b"", [LONG]),
        ({b"authorization": [b"Bearer null"]}, b"access_token=undefined", []),
        ({b"x-user-token": [LONG], b"accept": [LONG[::-1]]}, b"", [LONG]),
        ({}, b"a=1&access_token=" + LONG + b"&k%65y=" + encode(LONG[::-1], upper), [LONG, LONG[::-1]]),
        ({b"sec-websocket-protocol": [b"base64url.bearer.authorization.obo." + b64(LONG).encode()]}, b"", [LONG]),
        ({b"authorization": [b"Bearer " + LONG]}, b"key=" + LONG, [LONG]),
    ],
)  # fmt: skip
def test_what_is_shown(ended, query, secrets):
    """H-29: under any name that any route has for it; what is too short to be a secret is none."""
    in_query, _ = NAMES.split_query(b"?" + query)
    assert list(NAMES.find_secrets(ended, in_query)) == secrets
    assert all(NAMES.stand_in(b"a:" + secret, ended, query) for secret in secrets)
    assert not NAMES.stand_in(b"a:b", ended, query)


def test_many_credentials_are_refused():
    """F-24: each is looked for in all of the head, so that there may be only so many."""
    values = [b"Bearer %016d" % number for number in range(1000)]
    query = b"&".join(b"key=%016d" % number for number in range(1000))
    few = NAMES.find_secrets({b"authorization": values[:MOST]})
    assert refuse_many(few) is None
    for many in (
        NAMES.find_secrets({b"authorization": values}),
        NAMES.find_secrets({}, NAMES.split_query(b"?" + query)[0]),
        NAMES.find_secrets({b"authorization": values[:MOST]}, (), b"known"),
    ):
        assert len(many) == MOST + 1
        with pytest.raises(AuthorizationMalformed):
            refuse_many(many)


@pytest.mark.parametrize(
    ("ended", "token", "size", "searched"),
    [
        ({b"authorization": [b"Bearer 0123456789=="]}, b"0123456789==", 22, True),
        ({b"authorization": [b"Bearer 0123456789=="]}, b"0123456789==", 21, False),
        ({b"authorization": [b"Basic abc"]}, b"0123456789==", 21, True),
        ({}, b"0123456789==", 21, True),
    ],
    ids=["room", "none", "another is shown", "of a file"],
)
def test_a_copy_needs_room(ended, token, size, searched):
    """H-29: where the head has not got it beside the token itself, nothing is searched."""
    assert bool(CredentialNames().find_secrets(ended, (), token, size=size)) is searched


def test_the_token_that_is_known_counts_however_short():
    """H-29: it has been verified, so that it is one."""
    ended = {b"authorization": [b"Bearer short"], b"sec-websocket-protocol": [b"chat"]}
    for names in (NAMES, CredentialNames()):
        assert list(names.find_secrets(ended, (), b"short")) == [b"short"]
        assert list(names.find_secrets({}, (LONG,), b"of-a-file==")) == [b"of-a-file", LONG]


def test_only_credentials_that_are_not_longer_stand_in_a_text():
    """A request id that is the token is not kept, whatever the scheme; what is longer cannot be in it."""
    names = CredentialNames()
    for scheme in (b"Bearer ", b"DPoP ", b"", b"A-Scheme-Of-Thirty-Characters! "):
        assert names.stand_in(LONG, {b"authorization": [scheme + LONG]}, b"")
        assert not names.stand_in(LONG, {b"authorization": [scheme + LONG * 9]}, b"")


@pytest.mark.parametrize(
    ("url", "values", "rest"),
    [
        (b"?access_token=T", [b"T"], b""),
        (b"?a=%20&access%5ftoken=T&b", [b"T"], b"?a=%20&b"),
        (b"?%61ccess_token=T", [b"T"], b""),
        (b"https://a/b?key=T&c", [b"T"], b"https://a/b?c"),
        (b"?", [], b"?"),
        (b"?a=access_token&keys=1&%=2", [], b"?a=access_token&keys=1&%=2"),
        (b"https://a/access_token", [], b"https://a/access_token"),
    ],
)
def test_parameters_go_by_name(url, values, rest):
    """H-29: in any spelling of the name; all else stays byte for byte."""
    assert NAMES.split_query(url) == (values, rest)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (b"https://a/?access_token=T", False),
        (b"https://a/?b=1&access%5Ftoken=T#c", False),
        (b"https://a/access_token?b=%20", True),
        (b"https://a/", True),
    ],
)
def test_a_page_called_with_a_token_is_not_told(url, kept):
    """H-29: its token need not be the one of this request."""
    fields = [(b"a", b"?access_token=1"), (b"referer", url)]
    assert NAMES.strip_referer(fields) == (fields if kept else fields[:1])


@given(st.from_regex(rb"[A-Za-z0-9\-._~+/]{16,40}", fullmatch=True), st.data())
def test_any_token_in_any_spelling(token, data):
    """H-29: whichever characters are encoded, and how."""
    escapes = data.draw(
        st.lists(st.sampled_from([None, lower, upper]), min_size=len(token), max_size=len(token))
    )
    spelled = b"".join(
        escape(byte) if escape else bytes([byte]) for byte, escape in zip(token, escapes, strict=True)
    )
    assert holds([token], b"x=" + spelled)
    assert withhold([token], [(b"cookie", b"a=1; t=" + spelled)]) == [(b"cookie", b"a=1")]


@pytest.mark.parametrize("piece", [b"%41", b"%2541", b"%25%34%31", b"%", b"%%%25", b";%41", b"a%2"])
def test_the_work_is_bounded(piece):
    """F-24: the longest head there may be is searched in milliseconds."""
    began = time.process_time()
    holds([OPAQUE, LONG, LONG[::-1], OPAQUE[::-1]], piece * (65_536 // len(piece)))
    assert time.process_time() - began < 0.5
