"""``obo-proxy config``: what is configured, and whether it is sound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from proxy.cli import main

from ..config.samples import change
from ..support.proxy import running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "obo.yaml"
    path.write_text(yaml.safe_dump(change(("authorization_servers.okta.client.secret", "CANARY"))))
    return path


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OBO_CONFIG", "OBO_HOST", "OBO_PORT", "OBO_UPSTREAM", "OBO_ISSUER"):
        monkeypatch.delenv(name, raising=False)


async def test_the_running_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """O-06: that of the process whose admin side is asked, with its token where it wants one; else 1 and why."""
    secret = tmp_path / "admin-token"
    secret.write_text("swordfish\n")
    route = {"name": "a", "path": "/", "upstream": "http://127.0.0.1:9", "grant": "none"}
    async with running({"routes": [route], "admin": {"token_file": str(secret)}}) as proxy:
        show = ["config", "show", "--url", proxy.admin_url]
        assert await asyncio.to_thread(main, [*show, "--admin-token-file", str(secret)]) == 0
        assert yaml.safe_load(capsys.readouterr().out)["routes"][0]["name"] == "a"
        assert await asyncio.to_thread(main, show) == 1
        assert capsys.readouterr() == (
            "",
            "obo-proxy: no configuration from the admin side: it answers 401\n",
        )


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("http://127.0.0.1:1", None),
        ("nonsense", None),
        ("http://[", None),
        ("http://127.0.0.1:1", "two\nlines"),
        ("http://127.0.0.1:1", "caf\u00e9"),
    ],
)
def test_no_running_configuration(
    url: str, token: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr without the token, and 1."""
    (tmp_path / "token").write_text(token or "swordfish")
    assert main(["config", "show", "--url", url, "--admin-token-file", str(tmp_path / "token")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("obo-proxy: no configuration from the admin side: ")
    assert len(captured.err.splitlines()) == 1
    assert not token or token not in captured.err


@pytest.mark.parametrize("command", [["config", "validate"], ["config", "show"], ["serve"], ["login"]])
def test_faults_one_a_line_and_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Contract 1: every fault at once on stderr, nothing on stdout, exit 2."""
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(change(("routes.0.upstream", "orders:8080"), ("listen.port", "x"))))
    assert main([*command, "--config", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "listen.port: not a whole number (got 'x')",
        "routes[0].upstream: not an absolute URL (got 'orders:8080')",
    ]


def test_validate(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound configuration is said to be so; OBO_CONFIG names it as well as --config."""
    monkeypatch.setenv("OBO_CONFIG", str(file))
    assert main(["config", "validate"]) == 0
    assert capsys.readouterr().out == "The configuration is sound: 1 route(s).\n"


def test_validate_with_a_caution(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that everybody may read is worth a line, and no failure."""
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    secret.chmod(0o444)
    client = {"id": "a", "secret_file": str(secret)}
    file.write_text(yaml.safe_dump(change(("authorization_servers.okta.client", client))))
    assert main(["config", "validate", "--config", str(file)]) == 0
    captured = capsys.readouterr()
    assert captured.out == "The configuration is sound: 1 route(s).\n"
    assert captured.err == (
        "obo-proxy: mind authorization_servers.okta.client.secret_file:"
        f" everybody on this machine may read it: chmod o-r (got '{secret}')\n"
    )


def test_show(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML with every key and without a secret."""
    assert main(["config", "show", "--config", str(file)]) == 0
    out = capsys.readouterr().out
    assert "CANARY" not in out
    assert yaml.safe_load(out)["listen"]["port"] == 8080


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """The schema needs no configuration, and is what ships."""
    assert main(["config", "schema"]) == 0
    assert capsys.readouterr().out == (Path(__file__).parents[2] / "config" / "schema.json").read_text()
