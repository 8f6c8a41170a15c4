"""What one step has found."""

from __future__ import annotations

import pytest

from proxy.config.models import AuthorizationServer, Client
from proxy.config.units import Secret
from proxy.diagnosis.finding import Finding, build_failure, examine, name_places
from proxy.errors import SubjectTokenExpired
from proxy.exchange.okta_refusals import CHECK_CLIENT, CHECK_TRUST
from tests.support.issuer import StillClock


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


async def test_a_refusal_is_a_failure_of_its_step() -> None:
    """With its reason, its remedy and its code, and how long it took to find."""
    clock = StillClock()

    async def refuse() -> Finding:
        clock.advance(1.5)
        raise SubjectTokenExpired("it ended", remedy="a new one")

    finding = await examine(clock, "times", "orders", refuse)
    assert finding == Finding(
        "times", "orders", "fail", "it ended", "a new one", "subject_token_expired", 1.5
    )


async def test_a_finding_keeps_its_words() -> None:
    """Only the time is added; what is no refusal is a fault of ours, and raised."""
    clock = StillClock()

    async def find() -> Finding:
        return Finding("other", "b", "warn", "told")

    assert await examine(clock, "times", "a", find) == Finding("other", "b", "warn", "told")
    with pytest.raises(LookupError):
        await examine(clock, "times", "a", fail)


async def fail() -> Finding:
    raise LookupError


def test_better_words_for_a_failure() -> None:
    """Where whoever examines knows more than the error does."""
    failure = build_failure(
        "a", "b", SubjectTokenExpired("it ended"), summary="told better", remedy="do this"
    )
    assert (failure.summary, failure.remedy, failure.code) == (
        "told better",
        "do this",
        "subject_token_expired",
    )
    assert build_failure("a", "b", SubjectTokenExpired()).remedy


ISSUER = "https://example.okta.com/oauth2/default"


@pytest.mark.parametrize(
    ("remedy", "client", "named"),
    [
        (
            CHECK_CLIENT,
            Client(id="0oa1", secret=Secret("s")),
            "Applications > (the app of client id 0oa1) > General",
        ),
        (CHECK_CLIENT, None, "Applications > (our app) > General"),
        (CHECK_TRUST, None, f"Authorization Servers > ({ISSUER}) > Settings"),
        ("Start it.", None, "Start it."),
    ],
)
def test_who_reads_a_remedy_knows_where_to_click(remedy: str, client: Client | None, named: str) -> None:
    """By the client's id and the server's issuer; nothing else of the finding changes."""
    finding = Finding("credentials", "okta", "fail", "(our app)", remedy)
    placed = name_places(finding, AuthorizationServer(issuer=ISSUER, client=client))
    assert named in placed.remedy
    assert (placed.step, placed.about, placed.verdict, placed.summary) == (
        "credentials",
        "okta",
        "fail",
        "(our app)",
    )
