"""The doctor tells ahead when what vouches for us will end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.demo.workloads import SERVICE_ACCOUNT
from proxy.diagnosis.doctor import examine_all
from proxy.diagnosis.finding import Finding
from proxy.runtime import SystemClock
from tests.support.kubelet import Volume

HOUR = 3600


async def examine(raw: dict[str, Any]) -> dict[str, Finding]:
    """The findings at the server of the orders, by step."""
    report = await examine_all(parse_settings(raw), SystemClock(), route="orders")
    [section] = [one for one in report.sections if one.title.startswith("Authorization server orders")]
    return {finding.step: finding for finding in section.findings}


def vouched(demo: Demo, volume: Volume) -> dict[str, Any]:
    raw = demo.settings(way="assertion_file")
    for server in raw["authorization_servers"].values():
        server["client"]["assertion_file"] = str(volume / "as")
    return raw


@pytest.mark.parametrize(
    ("left", "age", "verdict", "summary"),
    [
        (HOUR, 0, "pass", "ends in 1 h"),
        (HOUR / 5, HOUR * 4 / 5, "pass", "ends in 12 min"),  # where the kubelet renews it
        (HOUR / 12, HOUR, "warn", "ends in 5 min, and nobody has renewed it"),
        (100, 0, "warn", "ends in 2 min, and nobody has renewed it"),
        (150, 150, "pass", "ends in 2 min"),  # a JWT-SVID of SPIRE's, half of whose life is left
        (-100, HOUR, "fail", "ended 2 min ago"),
    ],
)
async def test_an_assertions_end(
    demo: Demo, tmp_path: Path, left: float, age: float, verdict: str, summary: str
) -> None:
    """Contract 8: a warning once whoever renews it is late, a failure once it has ended; its content is not told."""
    iat = int(demo.tenant.now() - age)
    assertion = demo.tenant.workloads.vouch(SERVICE_ACCOUNT, demo.org_url, expires_in=left, iat=iat)
    found = await examine(vouched(demo, Volume(tmp_path / "volume", {"as": assertion})))
    finding = found["client_validity"]
    assert finding.verdict == verdict
    assert f"the assertion in {tmp_path / 'volume' / 'as'} {summary}" in finding.summary
    assert bool(finding.remedy) == (verdict != "pass")
    assert found["credentials"].verdict == ("fail" if verdict == "fail" else "pass")
    for part in (SERVICE_ACCOUNT, *assertion.split(".")):
        assert part not in str(found)


@pytest.mark.parametrize("way", ["tls_client_auth", "self_signed_tls_client_auth"])
async def test_a_certificates_end(demo: Demo, way: Any) -> None:
    """The same for a certificate."""
    found = await examine(demo.settings(way=way))
    assert found["client_validity"].verdict == "pass"
    assert "ends in 30 d" in found["client_validity"].summary
    assert found["credentials"].verdict == "pass"


async def test_what_has_no_end(demo: Demo) -> None:
    """A secret or a key is good until somebody changes it."""
    assert "client_validity" not in await examine(demo.settings())
    assert "client_validity" not in await examine(demo.settings(private_key_jwt=True))
