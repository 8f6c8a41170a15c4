"""The command line itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from proxy.cli import build_parser, main

from ..config.samples import change


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "obo.yaml"
    path.write_text(yaml.safe_dump(change(("authorization_servers.okta.client.secret", "CANARY"))))
    return path


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OBO_CONFIG", "OBO_HOST", "OBO_PORT", "OBO_UPSTREAM", "OBO_ISSUER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", ["serve", "config", "keys", "login", "demo"])
def test_every_command_is_found(command: str) -> None:
    """A module with ``add_parser`` is a command."""
    assert f"    {command} " in build_parser().format_help()


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, and nothing else."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("obo-proxy ")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "--nonsense"], ["config"]])
def test_usage_goes_to_stderr(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be understood ends with 2."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err[:6]) == ("", "usage:")


def test_a_command_is_quick_for_it_loads_what_it_needs() -> None:
    """No command waits for another's libraries."""
    code = "import sys; from proxy.cli import build_parser; build_parser(); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.split())
    assert not loaded & {"pydantic", "httpx", "uvicorn", "starlette", "cryptography", "yaml"}


def test_a_reader_that_has_seen_enough() -> None:
    """Nothing is said where the other end of the pipe has gone."""
    with subprocess.Popen(
        [sys.executable, "-c", "from proxy.cli import main; raise SystemExit(main())", "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
