"""Everything that can be tried for one configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config.faults import ConfigurationError
from proxy.config.load import parse_settings
from proxy.demo import Demo
from proxy.diagnosis.doctor import examine_all
from proxy.diagnosis.finding import Finding

from .examining import CLOCK


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
