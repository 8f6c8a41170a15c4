"""Configurations that take tokens which are bound to a key, and what is missing from them."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from proxy.config.cautions import find_cautions
from proxy.config.fixed import keep_fixed
from proxy.config.load import ConfigurationError, parse_settings
from tests.support.certificates import Authority

from .samples import change, faults_of

DPOP = ("subject_tokens.0.dpop", "accept")
URL = ("listen.external_url", "https://api.example.com")
NONCE = ("subject_tokens.0.dpop_nonce", True)
WORKERS = ("listen.workers", 2)


def share(folder: Path) -> tuple[str, dict[str, str]]:
    key_file = folder / "key"
    key_file.write_bytes(b64encode(b"\x01" * 32))
    return "cache.shared", {"url": "valkey://store", "encryption_key_file": str(key_file)}


@pytest.mark.parametrize(
    "changes",
    [
        [DPOP, URL],
        [DPOP, NONCE, URL],
        [("subject_tokens.0.dpop", "require"), URL],
        [DPOP, ("listen.trusted_proxies", ["10.0.0.0/8"])],
        [DPOP, URL, ("routes.0.token_in", {"query": "access_token"})],
        [WORKERS],
        [URL],
    ],
)
def test_sound(changes: list[tuple[str, Any]]) -> None:
    assert faults_of(change(*changes)) == []


@pytest.mark.parametrize(
    ("changes", "place", "remedy"),
    [
        pytest.param([DPOP], "listen.external_url", "set it", id="nobody says where callers are"),
        pytest.param([NONCE], "subject_tokens[0].dpop_nonce", "set dpop: accept", id="a nonce for no proof"),
        pytest.param([DPOP, URL, WORKERS], "subject_tokens[0].dpop", "name cache.shared", id="workers"),
        pytest.param(
            [("subject_tokens.0.dpop", "require"), URL, ("routes.0.token_in", {"header": "X-Token"})],
            "routes[0].token_in",
            "leave it out",
            id="no proof can be shown",
        ),
        pytest.param(
            [
                ("subject_tokens.0.dpop", "require"),
                URL,
                ("routes.0.actor", {"header": "X-Actor", "type": "jwt"}),
            ],
            "routes[0].actor.header",
            "set dpop: accept",
            id="no proof can be shown of an actor",
        ),
        pytest.param([("listen.external_url", "api.example.com")], "listen.external_url", "URL", id="no URL"),
        pytest.param(
            [("listen.external_url", "https://api.example.com/v1")],
            "listen.external_url",
            "path",
            id="a path",
        ),
        pytest.param([("subject_tokens.0.dpop", "maybe")], "subject_tokens[0].dpop", "accept", id="no word"),
    ],
)
def test_faults(changes: list[tuple[str, Any]], place: str, remedy: str) -> None:
    """Each by the key, and with what to do."""
    [fault] = faults_of(change(*changes))
    assert fault.startswith(f"{place}: ")
    assert remedy in fault


def test_workers_that_share(tmp_path: Path) -> None:
    assert faults_of(change(DPOP, URL, WORKERS, share(tmp_path))) == []


def test_workers_stay_as_many_as_they_are() -> None:
    """A configuration that is sound with one worker is not taken over by two."""
    running, loaded = parse_settings(change(WORKERS)), parse_settings(change(DPOP, URL))
    with pytest.raises(ConfigurationError, match="workers"):
        keep_fixed(running, loaded)


def test_the_certificates_of_callers_authorities(tmp_path: Path) -> None:
    """No secret: everybody may read them."""
    authority = Authority(tmp_path)
    issued = authority.issue()
    tls = {"cert_file": str(issued.cert_file), "key_file": str(issued.key_file)}
    authority.ca_file.chmod(0o644)
    raw = change(("listen.tls", tls | {"client_ca_file": str(authority.ca_file)}))
    assert list(find_cautions(parse_settings(raw))) == []
    raw = change(("listen.tls", tls | {"client_ca_file": str(tmp_path / "none.pem")}))
    [fault] = faults_of(raw)
    assert fault.startswith("listen.tls.client_ca_file: cannot be read")


def test_proofs_that_replicas_know_nothing_of(tmp_path: Path) -> None:
    """Told of where neither a shared cache nor a nonce of the process's own keeps a proof from being used again."""

    def cautions(*changes: tuple[str, Any]) -> list[str]:
        return [caution.place for caution in find_cautions(parse_settings(change(*changes)))]

    assert cautions(DPOP, URL) == ["subject_tokens[0].dpop"]
    assert cautions(DPOP, URL, NONCE) == []
    store, shared = share(tmp_path)
    (tmp_path / "key").chmod(0o600)
    assert cautions(DPOP, URL, (store, shared)) == []
    assert cautions(URL) == []
