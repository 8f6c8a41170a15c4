"""The configuration by a process of its own: the same settings, the same faults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from proxy.config import loading
from proxy.config.faults import ConfigurationError
from proxy.config.load import load_settings
from proxy.config.loading import Loading, load_apart

from .samples import CLIENT, change


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "obo.yaml"


def test_the_same_settings(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the environment's part, and with what no repr shows."""
    monkeypatch.setenv("OBO_PORT", "1234")
    monkeypatch.setenv("CANARY", "s3cr3t")
    file.write_text(yaml.safe_dump(change((f"{CLIENT}.secret", "${CANARY}"))))
    loaded = load_apart(file)
    assert loaded == load_settings(file, {"OBO_PORT": "1234", "CANARY": "s3cr3t"})
    client = loaded.authorization_servers["okta"].client
    assert client is not None
    assert client.secret is not None
    assert client.secret.get_secret_value() == "s3cr3t"


def test_the_same_faults(file: Path) -> None:
    """All of them, each with its place."""
    file.write_text(yaml.safe_dump(change(("listen.port", "many"), ("routes.0.nmae", "x"))))
    with pytest.raises(ConfigurationError) as here:
        load_settings(file, {})
    with pytest.raises(ConfigurationError) as apart:
        load_apart(file)
    assert apart.value.faults == here.value.faults


def test_one_that_ends_without_a_word(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed for its memory, say: it fails, and is no empty configuration."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"the process that loads the configuration ended with 1"):
        load_apart(file)


def test_one_that_hangs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that never comes keeps neither a reload nor a drain for ever."""
    monkeypatch.setattr(loading, "_PATIENCE", 0.2)
    os.mkfifo(file)
    with pytest.raises(RuntimeError, match="was not loaded within"):
        load_apart(file)


def test_one_of_another_version(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it pickles may mean something else here."""
    monkeypatch.setattr(loading, "_BUILD", b"1")
    file.write_text(yaml.safe_dump(change()))
    with pytest.raises(RuntimeError, match="another version is installed"):
        load_apart(file)


def test_one_that_nobody_waits_for() -> None:
    """It ends with whoever began it."""
    with Loading(None) as begun:
        pass
    assert begun._process.returncode == -9
