"""The doctor's steps for one token and one route, by the parts that serve."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.authentication.subject_token import SubjectToken, UnverifiedToken
from proxy.authentication.verifier import Accepted, Verifier
from proxy.config.faults import ConfigurationError
from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.diagnosis import Diagnosis, diagnose
from proxy.diagnosis.demands import describe_duration
from proxy.diagnosis.doctor import examine_all
from proxy.diagnosis.finding import Finding
from proxy.diagnosis.network import advise
from proxy.diagnosis.subject import examine_subject_token
from proxy.errors import SubjectTokenExpired, UpstreamUnreachable
from proxy.parts import Parts
from proxy.runtime import SystemClock
from proxy.wiring import build_parts
from tests.support.issuer import shows_token

from ..support.demo import FORGERIES

CLOCK = SystemClock()


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with Demo() as running:
        yield running


@asynccontextmanager
async def building(raw: dict[str, Any]) -> AsyncIterator[Parts]:
    parts = build_parts(parse_settings(raw), clock=CLOCK, on_exchange=lambda _: None)
    try:
        yield parts
    finally:
        await parts.retire()


async def examine(demo: Demo, token: str | None, **changes: Any) -> Diagnosis:
    """The diagnosis of ``token`` on the route ``orders``, changed."""
    raw = demo.settings()
    raw["routes"][0] |= changes
    async with building(raw) as parts:
        return await diagnose(token, parts.settings.routes[0], parts, CLOCK)


def verdicts(diagnosis: Diagnosis) -> dict[str, str]:
    return {finding.step: finding.verdict for finding in diagnosis.findings}


async def test_every_step_passes(demo: Demo) -> None:
    """The steps are those of a request, in its order, then the API's own."""
    diagnosis = await examine(demo, demo.mint("alice"))
    assert diagnosis.ok
    assert list(verdicts(diagnosis)) == [
        *("token", "issuer", "signature", "audience", "client", "kind", "times", "scopes"),
        *("demands", "exchange", "answer"),
        *("api_signature", "api_issuer", "api_audience", "api_times", "api_scopes"),
    ]
    assert diagnosis.after is not None
    assert diagnosis.after["aud"] == "api://orders"


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
async def test_no_forgery_is_exchanged(forgery: Any, demo: Demo) -> None:
    """C-01: whatever is examined by itself, only an accepted token goes to the authorization server."""
    diagnosis = await examine(demo, forgery(demo, demo.mint("alice")))
    assert not diagnosis.ok
    assert verdicts(diagnosis)["exchange"] == "skip"
    assert demo.calls["token"] == 0


async def test_everything_wrong_is_told_at_once(demo: Demo) -> None:
    """A failure hides none of the next; the proxy itself stops at the first."""
    diagnosis = await examine(
        demo, demo.mint("alice", audience="api://elsewhere", expires_in=-100, client_id="0oa1other")
    )
    failed = [step for step, verdict in verdicts(diagnosis).items() if verdict == "fail"]
    assert failed == ["audience", "client", "times"]


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ({"required_scopes": ["orders:approve"]}, "the subject token lacks a scope of the route"),
        ({"acr_values": ["urn:okta:loa:2fa:any"]}, "the user's authentication was not strong enough"),
        ({"required_scopes": ["orders:read"]}, None),
    ],
    ids=["scopes", "step-up", "met"],
)
async def test_demands_of_the_route(changes: dict[str, Any], summary: str | None, demo: Demo) -> None:
    """What a route asks beyond an accepted token is a step of its own, before the exchange."""
    diagnosis = await examine(demo, demo.mint("alice"), **changes)
    [demands] = [finding for finding in diagnosis.findings if finding.step == "demands"]
    assert (demands.verdict, demands.summary) == (
        ("fail", summary) if summary else ("pass", "the token has what the route asks for")
    )
    assert verdicts(diagnosis)["exchange"] == ("skip" if summary else "pass")


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


async def test_an_opaque_issued_token(demo: Demo) -> None:
    """It is accepted as a request would accept it; of what the API makes of it nothing can be told."""
    demo.faults.members["access_token"] = "opaque"
    diagnosis = await examine(demo, demo.mint("alice"))
    assert (diagnosis.ok, diagnosis.after) == (True, None)
    assert list(verdicts(diagnosis))[-1] == "answer"


@pytest.mark.parametrize(
    ("claims", "step"),
    [
        ({"iss": "https://login.example.com/oauth2/orders"}, "api_issuer"),
        ({"scp": ["orders:list"]}, "api_scopes"),
        ({"exp": "soon"}, "api_signature"),
    ],
    ids=["issuer mode", "scopes", "not well-formed"],
)
async def test_what_an_api_would_refuse(claims: dict[str, Any], step: str, demo: Demo) -> None:
    """RFC 9068 §4: what the proxy passes on and an API may refuse is a warning with its remedy."""
    demo.faults.claims.update(claims)
    diagnosis = await examine(demo, demo.mint("alice"))
    warnings = [finding for finding in diagnosis.findings if finding.verdict == "warn"]
    assert step in [finding.step for finding in warnings]
    assert all("would refuse" in finding.summary and finding.remedy for finding in warnings)


async def test_claims_hold_no_token(demo: Demo) -> None:
    """X-14: a token within a claim is left out of what is shown."""
    diagnosis = await examine(demo, demo.mint("alice", claims={"inner": [demo.mint("bob")]}))
    assert diagnosis.before is not None
    assert diagnosis.before["inner"] == ["(a token, not shown)"]
    assert not shows_token(repr(diagnosis))


class Refusing(Verifier):
    """Knows the issuers, and accepts nothing."""

    def __init__(self, other: Verifier) -> None:
        self.other = other

    def choose(self, token: UnverifiedToken | None) -> Sequence[Accepted]:
        return self.other.choose(token)

    async def verify(self, token: str) -> SubjectToken:
        raise SubjectTokenExpired("it has ended meanwhile")


async def test_the_verifier_has_the_last_word(demo: Demo) -> None:
    """No step's success makes a token accepted that the verifier refuses."""
    async with building(demo.settings()) as parts:
        examined = await examine_subject_token(demo.mint("alice"), Refusing(parts.verifiers[0]), CLOCK)
    assert examined.subject_token is None
    assert [finding.step for finding in examined.findings if finding.verdict == "fail"] == ["verification"]


async def test_files_that_are_gone(demo: Demo, tmp_path: Path) -> None:
    """What a sound configuration names may be gone when it is needed: that is bad configuration too."""
    raw = demo.settings()
    token_file = tmp_path / "token"
    token_file.write_text(demo.mint("alice"))
    token_file.chmod(0o600)
    raw["routes"][0]["subject_token_file"] = str(token_file)
    settings = parse_settings(raw)
    token_file.unlink()
    with pytest.raises(ConfigurationError, match="a file that is named"):
        await examine_all(settings, CLOCK)


async def test_an_exchange_without_scopes(demo: Demo) -> None:
    """Without a user and without scopes there is nothing to try."""
    raw = demo.settings()
    raw["routes"][0]["scopes"] = []
    report = await examine_all(parse_settings(raw), CLOCK, route="orders")
    assert report.findings[-1] == Finding("exchange", "orders", "skip", "needs a user's token: --token-file")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-58.4, "58 s"), (59.6, "1 min"), (150, "2 min"), (3600, "1 h"), (90000, "1 d")],
)
def test_durations(seconds: float, text: str) -> None:
    """Whole units, without a sign."""
    assert describe_duration(seconds) == text


def build_refused_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    return error


def build_tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "what OpenSSL says")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (build_refused_certificate(9), "begins later"),
        (build_refused_certificate(10), "has ended"),
        (build_refused_certificate(62), "another name"),
        (build_refused_certificate(64), "another address"),
        (build_refused_certificate(18), "ca_file"),
        (build_tls_error("WRONG_VERSION_NUMBER"), "speaks no TLS"),
        (build_tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "set cert_file and key_file"),
        (build_tls_error("UNSUPPORTED_PROTOCOL"), "See that the API runs"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "does not resolve"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "resolv.conf"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "no socket"),
        (PermissionError(errno.EACCES, "Permission denied"), "its mode or owner"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "Nothing listens"),
        (OSError("Multiple exceptions: [Errno 111] …, [Errno 111] …"), "Nothing listens"),
        (ConnectionAbortedError("the handshake was not finished"), "See that the API runs"),
        (TimeoutError(), "firewall"),
        (None, "See that the API runs"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("suppressed", [False, True], ids=["told", "suppressed"])
def test_network_advice(cause: Exception | None, remedy: str, suppressed: bool) -> None:
    """What kernel, resolver and TLS raised is read for the reader, also where their texts are hidden."""
    error = UpstreamUnreachable("no connection to a:1")
    if suppressed:
        error.__context__, error.__suppress_context__ = cause, True
    else:
        error.__cause__ = cause
    assert remedy in advise(error)


def test_findings_show_no_more_than_they_say() -> None:
    """The document has exactly the finding's fields, its time cut to what is meant."""
    finding = Finding("clock", "okta", "warn", "10 s", "NTP", "code", 0.123456)
    assert finding.as_document() == {
        "step": "clock",
        "about": "okta",
        "verdict": "warn",
        "summary": "10 s",
        "remedy": "NTP",
        "code": "code",
        "seconds": 0.1235,
    }
