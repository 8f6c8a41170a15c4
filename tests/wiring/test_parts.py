"""From settings to working parts, and what a reload takes over."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from proxy.config.load import parse_settings
from proxy.wiring.parts import build_tracing
from tests.config.samples import SOUND, change

from .building import load


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ([("routes.0.path", "/other")], {"okta", "store"}),
        ([("authorization_servers.okta.timeout", "9s")], {"store"}),
        ([("cache.max_entries", 7)], {"okta"}),
        ([("authorization_servers.okta.client.secret", "new"), ("cache.max_entries", 7)], set()),
    ],
    ids=["a route", "a server", "the cache", "both"],
)
async def test_what_a_reload_keeps(build: Any, changes: list[tuple[str, Any]], kept: set[str]):
    """F-39: the tokens and what is known of a server, as long as nothing that they depend on has changed."""
    before = build(parse_settings(copy.deepcopy(SOUND)))
    after = build(parse_settings(change(*changes)), before)
    same = {"okta": after.issuers["okta"] is before.issuers["okta"], "store": after.store is before.store}
    assert {name for name, is_same in same.items() if is_same} == kept


async def test_what_is_not_asked_for_is_not_built(build: Any):
    """A request need not ask for documents that nobody publishes, and nothing is traced."""
    parts = build(load())
    assert parts.documents is None
    assert build_tracing(parts.settings.tracing) is None
    published = build(parse_settings(change(("protected_resource_metadata", True))))
    assert published.documents is not None
