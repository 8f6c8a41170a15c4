"""Authorization Code with PKCE, with a page to choose the user."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest

from proxy.demo.org import LOGIN_ID, SERVICE_ID
from proxy.demo.signing import encode_base64url
from tests.support.demo import decode

VERIFIER = "v" * 43
CALLBACK = "http://127.0.0.1:55555/callback"
REQUEST = {
    "response_type": "code",
    "client_id": LOGIN_ID,
    "redirect_uri": CALLBACK,
    "scope": "openid orders:read",
    "state": "st&te",
    "nonce": "n",
    "code_challenge": encode_base64url(hashlib.sha256(VERIFIER.encode()).digest()),
    "code_challenge_method": "S256",
}


async def authorize(org, method="POST", **changes):
    """The authorization request; None leaves a parameter out."""
    parameters = {name: value for name, value in {**REQUEST, **changes}.items() if value is not None}
    if method == "GET":
        return await org.http.get("/oauth2/default/v1/authorize", params=parameters)
    return await org.http.post("/oauth2/default/v1/authorize", data=parameters)


def read_redirect(answer):
    assert answer.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def redeem(org, code, **changes):
    form = {
        "grant_type": "authorization_code",
        "client_id": LOGIN_ID,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return await org.ask(
        "default", {name: value for name, value in {**form, **changes}.items() if value is not None}
    )


async def test_whole_flow(org):
    """Page, choice, code, tokens: the access token is for the server's audience, the ID token for the client."""
    org.tenant.users["bob"].signed_in = False
    page = await authorize(org, "GET")
    assert page.headers["content-type"].startswith("text/html")
    assert '<html lang="en">' in page.text
    assert "Alice Archer" in page.text
    assert "Carol" not in page.text
    assert 'value="st&amp;te"' in page.text
    redirect = read_redirect(await authorize(org, login="bob"))
    assert redirect["state"] == "st&te"
    answer = (await redeem(org, redirect["code"])).json()
    access, identity = decode(answer["access_token"]), decode(answer["id_token"])
    assert (access["sub"], access["aud"], access["cid"]) == ("bob", "api://default", LOGIN_ID)
    assert access["jti"].startswith("AT.")
    assert (identity["aud"], identity["nonce"], identity["preferred_username"]) == (LOGIN_ID, "n", "bob")
    assert identity["jti"].startswith("ID.")
    assert org.tenant.users["bob"].signed_in


async def test_no_id_token_unasked(org):
    """Without the openid scope there is no ID token; the callback may have a query of its own."""
    callback = f"{CALLBACK}?x=1"
    redirect = read_redirect(await authorize(org, scope="orders:read", redirect_uri=callback, login="alice"))
    assert redirect["x"] == "1"
    assert "id_token" not in (await redeem(org, redirect["code"], redirect_uri=callback)).json()


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"code": "x"}, "The authorization code is invalid"),
        ({"redirect_uri": "http://127.0.0.1:1/"}, "The 'redirect_uri' does not match"),
        ({"code_verifier": None}, "PKCE code verifier is required"),
        ({"code_verifier": "w" * 43}, "PKCE verification failed"),
    ],
    ids=["code", "redirect_uri", "no verifier", "verifier"],
)
async def test_code_refused(org, changes, description):
    """A code is redeemed with the request's own redirect_uri and verifier, or not at all."""
    code = read_redirect(await authorize(org, login="alice"))["code"]
    answer = await redeem(org, **{"code": code, **changes})
    assert answer.json()["error_description"].startswith(description)


async def test_code_once_and_not_for_long(org):
    """A code is good once, for a minute."""
    code = read_redirect(await authorize(org, login="alice"))["code"]
    assert (await redeem(org, code)).status_code == 200
    assert (await redeem(org, code)).json()["error"] == "invalid_grant"
    code = read_redirect(await authorize(org, login="alice"))["code"]
    org.tenant.faults.clock_offset = 61
    assert (await redeem(org, code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"login": "carol"}, "access_denied"),
        ({"login": None}, "access_denied"),
    ],
    ids=["response type", "no PKCE", "plain PKCE", "scope", "deactivated", "nobody"],
)
async def test_refused_at_the_callback(org, changes, error):
    """What is wrong with the request goes to the callback, with the state."""
    redirect = read_redirect(await authorize(org, **{"login": "alice", **changes}))
    assert (redirect["error"], redirect["state"]) == (error, "st&te")


async def test_state_is_the_clients(org):
    """Without a state none comes back."""
    assert "state" not in read_redirect(await authorize(org, state=None, login="alice"))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": SERVICE_ID},
        {"client_id": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
    ],
    ids=["service app", "no client", "not loopback", "no callback"],
)
async def test_refused_here(org, changes):
    """With a client or callback that is not known, nobody is sent anywhere."""
    answer = await authorize(org, **changes)
    assert answer.status_code in (400, 401)
    assert "location" not in answer.headers
