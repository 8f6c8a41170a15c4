"""``obo-proxy keys new``."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.jose.private_keys import load_keys, public_jwk

ALGS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
PRIVATE = ("private-key.pem", "private-key.jwk.json")


@pytest.mark.parametrize("alg", ALGS)
def test_a_pair(alg: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Contract 1: private PEM and JWK for us alone, the public JWKS to paste; all of one key."""
    out = tmp_path / "new" / "keys"
    assert main(["keys", "new", "--alg", alg, "--out", str(out)]) == 0
    jwks = json.loads(capsys.readouterr().out)
    assert json.loads((out / "public-keys.jwks.json").read_text()) == jwks
    (public,) = jwks["keys"]
    assert public["alg"] == alg
    assert "d" not in public
    for name in PRIVATE:
        assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
        (key,) = load_keys((out / name).read_bytes(), alg=alg)
        assert public_jwk(key.key, alg=alg, key_id=key.key_id) == public


def test_a_key_for_the_shared_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """32 random bytes in base64, never printed."""
    assert main(["keys", "new", "--alg", "A256GCM", "--out", str(tmp_path)]) == 0
    path = tmp_path / "encryption.key"
    assert len(base64.b64decode(path.read_bytes(), validate=False)) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"obo-proxy: wrote {path}\n"


@pytest.mark.parametrize("present", PRIVATE)
def test_nothing_is_overwritten(present: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key in use is worth more than a new one; not even a dangling link is followed."""
    (tmp_path / present).symlink_to(tmp_path / "elsewhere")
    assert main(["keys", "new", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"obo-proxy: not overwritten: {tmp_path / present}\n"
    assert [path.name for path in tmp_path.iterdir()] == [present]


def test_a_place_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said in a line, with exit 1."""
    (tmp_path / "file").write_text("")
    assert main(["keys", "new", "--out", str(tmp_path / "file" / "keys")]) == 1
    assert capsys.readouterr().err == f"obo-proxy: {tmp_path / 'file' / 'keys'}: Not a directory\n"
