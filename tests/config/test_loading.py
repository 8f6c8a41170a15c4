"""The configuration by a process of its own: the same settings, the same faults."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from proxy.config import loading
from proxy.config.faults import ConfigurationError
from proxy.config.load import load_settings
from proxy.config.loading import Loading, load_apart

from .samples import CLIENT, change

PROGRAM = f"""#!{sys.executable} -P
import os, pickle, signal, sys
from proxy.config import load, loading
sys.argv[1:] = sys.argv[4:]
def pickled(value):
    return loading._BUILD + b"\\n" + pickle.dumps(value)
"""


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


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have another program load configurations: Python's ``code``, with our ``pickled`` of any value at hand."""

    def put(code: str) -> None:
        program = tmp_path / "program"
        program.write_text(PROGRAM + code)
        program.chmod(0o700)
        monkeypatch.setattr("sys.executable", str(program))

    return put


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.exit(1)", "the process that loads the configuration ended with 1"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "the process that loads the configuration was ended by SIGKILL",
        ),
        (
            "os.write(1, pickled({})[:-1]); os.kill(os.getpid(), signal.SIGTERM)",
            "the process that loads the configuration was ended by SIGTERM",
        ),
        ("", "sends something else"),
        ("print('hello')", "sends something else"),
        ("os.write(1, b'hello\\n' + pickle.dumps('hello'))", "sends something else"),
        ("os.write(1, pickled({'a': 'bc'})[:-3])", "sends something else"),
        ("os.write(1, pickled(None))", "sends something else"),
        ("os.write(1, pickled(load.load_settings))", "sends something else"),
        (
            "def fail(*_): raise KeyError('s3cr3t')\nload.load_settings = fail\nloading.main()",
            r"the configuration cannot be loaded: KeyError in program, line \d+",
        ),
        (
            "load.load_settings = lambda *_: lambda: 's3cr3t'\nloading.main()",
            r"the configuration cannot be loaded: \w+ in pickled.py, line \d+",
        ),
    ],
    ids=[
        "ends",
        "killed for its memory",
        "ends amid a word",
        "says nothing",
        "says another thing",
        "garbage before",
        "garbage behind",
        "says nothing of it",
        "names a function",
        "a mistake",
        "a mistake at the end",
    ],
)
def test_one_that_fails(
    pretend: Callable[[str], None], file: Path, code: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is no empty configuration; and what is said of it holds no value that it has met."""
    pretend(code)
    with pytest.raises(RuntimeError, match=f"{reason}$"):
        load_apart(file)
    assert capfd.readouterr().err == ""


def test_what_others_print(pretend: Callable[[str], None], file: Path) -> None:
    """A library that says something at its import is not heard."""
    file.write_text(yaml.safe_dump(change()))
    pretend(
        "real = load.load_settings\nload.load_settings = lambda *given: print('hello') or real(*given)\nloading.main()"
    )
    assert load_apart(file) == load_settings(file, {})


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
