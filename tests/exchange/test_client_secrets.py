"""Two secrets or keys side by side, while one takes the other's place."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from proxy.config.models import Client
from proxy.config.units import Secret
from proxy.errors import ExchangeMisconfigured
from proxy.exchange.client_auth import build_client_authentication
from proxy.jose.private_keys import build_jwks, generate_key, load_keys, pem
from tests.support.exchanging import ALICE, GOOD, REQUEST, exchanging, make_subject_token
from tests.support.scripted_server import Asked, answer

URL = "https://example.okta.com/oauth2/default/v1/token"
BAD_CLIENT = answer(401, {"error": "invalid_client"})
OLD, NEW = generate_key("ES256"), generate_key("ES256")


def post(path: Path) -> Client:
    return Client(id="id", auth="client_secret_post", secret_file=path)


def taking(*secrets: str):
    """A server that takes these secrets alone."""
    return lambda asked: GOOD if asked.form["client_secret"] in secrets else BAD_CLIENT


def sent(asked: list[Asked]) -> list[str]:
    return [one.form["client_secret"] for one in asked]


@pytest.mark.parametrize("content", ["new\nold", "new\r\nold\r\n", "\nnew\n\nold\n"])
async def test_the_other_secret_is_tried_once(tmp_path, content):
    """X-11: where the first is not taken yet the second is, and goes first from then on; the caller sees nothing."""
    file = tmp_path / "secret"
    file.write_bytes(content.encode())
    async with exchanging(taking("old"), client=post(file)) as at:
        for name in ("alice", "bob"):
            assert await at.server.grant(REQUEST, make_subject_token(name))
        assert sent(at.asked) == ["new", "old", "old"]
        at.script.script = (taking("new"),)
        assert await at.server.grant(REQUEST, ALICE)
        assert sent(at.asked)[3:] == ["old", "new"]


async def test_no_secret_is_tried_twice(tmp_path):
    """X-11: where neither is taken it is a misconfiguration, after two requests."""
    file = tmp_path / "secret"
    file.write_text("new\nold")
    async with exchanging(BAD_CLIENT, client=post(file)) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert sent(at.asked) == ["new", "old"]


async def test_a_single_secret_is_not_tried_again(tmp_path):
    """X-11: as long as the file is the same there is nothing else to try."""
    file = tmp_path / "secret"
    file.write_text("one")
    async with exchanging(BAD_CLIENT, client=post(file)) as at:
        with pytest.raises(ExchangeMisconfigured):
            await at.server.grant(REQUEST, ALICE)
        assert sent(at.asked) == ["one"]


async def test_a_new_file_begins_with_its_first(tmp_path):
    """X-11: the rotation is over: what was refused before is no longer there."""
    file = tmp_path / "secret"
    file.write_text("new\nold")
    async with exchanging(taking("old"), client=post(file)) as at:
        await at.server.grant(REQUEST, ALICE)
        file.write_text("newer\nnew")
        at.script.script = (taking("newer", "new"),)
        await at.server.grant(REQUEST, ALICE)
        assert sent(at.asked) == ["new", "old", "newer"]


async def test_the_other_key_is_tried_once(tmp_path):
    """X-11: the same for two keys in one file, both of which are published all the time."""
    file = tmp_path / "keys.pem"
    file.write_bytes(pem(NEW) + pem(OLD))
    kids = [key.key_id for key in load_keys(file.read_bytes())]

    def take_the_old(asked: Asked) -> bytes:
        kid = jwt.get_unverified_header(asked.form["client_assertion"])["kid"]
        return GOOD if kid == kids[1] else BAD_CLIENT

    client = Client(id="id", auth="private_key_jwt", private_key_file=file)
    async with exchanging(take_the_old, client=client) as at:
        for name in ("alice", "bob"):
            assert await at.server.grant(REQUEST, make_subject_token(name))
        headers = [jwt.get_unverified_header(one.form["client_assertion"]) for one in at.asked]
        assert [header["kid"] for header in headers] == [kids[0], kids[1], kids[1]]
        assert at.server.public_jwks() == build_jwks(load_keys(file.read_bytes()))


async def test_neither_secret_is_told(tmp_path):
    """X-14: a server that says back what it was sent is not quoted."""
    file = tmp_path / "secret"
    file.write_text("canary-new\ncanary-old")

    def say_back(asked: Asked) -> bytes:
        said = f"no {asked.form['client_secret']}"
        return answer(401, {"error": "invalid_client", "error_description": said})

    async with exchanging(say_back, client=post(file)) as at:
        with pytest.raises(ExchangeMisconfigured) as refused:
            await at.server.grant(REQUEST, ALICE)
        assert "canary" not in f"{refused.value} {at.records}"


def test_what_is_between_the_secrets(tmp_path):
    """Inside a line a blank is part of the secret; a secret in the configuration has but one line."""
    file = tmp_path / "secret"
    file.write_text("a b\nc")
    credentials = build_client_authentication(post(file)).authenticate(URL, 0)
    assert credentials.form[1] == ("client_secret", "a b")
    inline = Client(id="id", auth="client_secret_post", secret=Secret("a\nb"))
    assert build_client_authentication(inline).authenticate(URL, 0).form[1] == ("client_secret", "a\nb")
