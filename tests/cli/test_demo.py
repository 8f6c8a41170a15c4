"""`obo-proxy demo` shows the whole flow, once or until it is ended."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
import sys

import httpx
import pytest

from proxy.cli import main
from tests.support.demo import decode
from tests.support.issuer import shows_token
from tests.support.proxy import PLAIN


@pytest.fixture(autouse=True)
def _logging():
    """Commands set up the process's log; a test's process goes on without it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize(
    ("flags", "client", "scheme"),
    [
        ([], "client_secret_basic", "Bearer"),
        (["--private-key-jwt"], "private_key_jwt", "Bearer"),
        (["--dpop"], "client_secret_basic with DPoP", "DPoP"),
        (["--private-key-jwt", "--dpop"], "private_key_jwt with DPoP", "DPoP"),
    ],
    ids=["secret", "key", "DPoP", "key and DPoP"],
)
def test_once(capsys, flags, client, scheme):
    """One request goes through: both tokens side by side, with the API's view of it, and no token in the clear."""
    assert main(["demo", "--once", *flags]) == 0
    shown = capsys.readouterr().out
    assert f"({client})" in shown
    assert re.search(r"^sub +alice +alice$", shown, re.MULTILINE)
    assert re.search(r"^aud +\* +api://default +api://orders$", shown, re.MULTILINE)
    assert re.search(
        r'^scp +\* +\["openid", "profile", "orders:read"\] +\["orders:read"\]$', shown, re.MULTILINE
    )
    assert re.search(rf"^  authorization +{scheme} \(decoded in claims\)$", shown, re.MULTILINE)
    assert re.search(r"^  on_behalf_of +alice$", shown, re.MULTILINE)
    assert not shows_token(shown)


def test_once_with_an_id_jag(capsys):
    """Both legs are shown, with what the other company's API saw, and no token in the clear."""
    assert main(["demo", "--once", "--id-jag"]) == 0
    shown = capsys.readouterr().out
    assert re.search(
        r"^Leg 1: an ID-JAG for alice, made by \S+ \(client_secret_basic\)\.$", shown, re.MULTILINE
    )
    assert re.search(r"^Leg 2: the ID-JAG redeemed at \S+/oauth2/chat,", shown, re.MULTILINE)
    assert "ID-JAGs spent: 1." in shown
    assert re.search(r"^aud +\* +0oa1webapplogin00001 +https://api\.chat\.example/$", shown, re.MULTILINE)
    assert not shows_token(shown)


async def _read_welcome(process):
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append((await process.stdout.readline()).decode())
    return "".join(lines)


async def test_until_ended():
    """It prints where everything is and ready tokens, serves, and ends in order with a signal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from proxy.cli import main; sys.exit(main())"),
        *("demo", "--port", "0", "--admin-port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    welcome = await _read_welcome(process)
    url = re.search(r"^proxy +(\S+)$", welcome, re.MULTILINE)[1]
    tokens = dict(re.findall(r"^([A-Z]+)='(\S+)'$", welcome, re.MULTILINE))
    assert {name: decode(token)["sub"] for name, token in tokens.items()} == {
        "ALICE": "alice",
        "BOB": "bob",
        "EXPIRED": "alice",
    }
    asked = {
        ("/orders/1", "ALICE"): (200, "alice"),
        ("/profile", "BOB"): (200, "bob"),
        ("/reports", None): (200, None),
        ("/orders/1", None): (401, "subject_token_missing"),
        ("/orders/1", "EXPIRED"): (401, "subject_token_expired"),
        ("/payroll", "ALICE"): (403, "exchange_denied"),
    }
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=PLAIN) as http:
        for (path, name), (status, told) in asked.items():
            headers = {"authorization": f"Bearer {tokens[name]}"} if name else {}
            answer = await http.get(path, headers=headers)
            body = answer.json()
            assert (answer.status_code, body.get("code", body.get("on_behalf_of"))) == (status, told)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 0


def test_port_taken(capsys):
    """A port that is not to be had is a failure with its reason, not a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["demo", "--port", str(taken.getsockname()[1]), "--admin-port", "0"]) == 1
    assert "address already in use" in capsys.readouterr().err


async def test_token_of_a_running_demo(demo, capsys):
    """A fresh token of the user is printed alone; it may have expired on purpose."""
    assert await asyncio.to_thread(main, ["demo", "token", "alice", "--server", demo.org_url]) == 0
    assert decode(capsys.readouterr().out.strip())["sub"] == "alice"
    arguments = ["demo", "token", "bob", "--expires-in", "-60", "--server", f"{demo.org_url}/"]
    assert await asyncio.to_thread(main, arguments) == 0
    claims = decode(capsys.readouterr().out.strip())
    assert claims["exp"] == claims["iat"] - 60


async def test_no_token(demo, capsys):
    """An unknown user and a demo that does not run are told apart."""
    assert await asyncio.to_thread(main, ["demo", "token", "zoe", "--server", demo.org_url]) == 1
    assert "no such user; there are alice, bob, carol" in capsys.readouterr().err
    await demo.authorization_server.stop()
    assert await asyncio.to_thread(main, ["demo", "token", "alice", "--server", demo.org_url]) == 1
    assert "start one with obo-proxy demo" in capsys.readouterr().err
