"""The command line itself, and ``config``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from proxy.cli import build_parser, main

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
    """O-05: that of the process whose admin side is asked, with its token where it wants one; else 1 and why."""
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
