"""``obo-proxy keys new``: a key pair for ``private_key_jwt`` or DPoP, or a key for the shared cache."""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

_ENCRYPTION = "A256GCM"
_ALGS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", _ENCRYPTION)
_PRIVATE, _PUBLIC = 0o600, 0o644


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``keys new``."""
    parser = subparsers.add_parser("keys", help="make keys")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new",
        help="a new key, private files readable by you alone",
        description="Makes a key pair for private_key_jwt or DPoP: private-key.pem, private-key.jwk.json and"
        " public-keys.jwks.json, the last also printed, for the authorization server. With A256GCM a key for the"
        " shared cache: encryption.key. Files that are there already are never overwritten.",
    )
    new.add_argument("--alg", choices=_ALGS, default="RS256", help="what the key is for (RS256)")
    new.add_argument("--out", type=Path, metavar="DIR", default=Path(), help="where to (here)")
    new.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Write the files; print what is public of them."""
    files, public = _make_encryption_key() if args.alg == _ENCRYPTION else _make_pair(args.alg)
    present = [str(path) for name in files if os.path.lexists(path := args.out / name)]
    if present:
        print(f"obo-proxy: not overwritten: {', '.join(present)}", file=sys.stderr)
        return 1
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        for name, (content, mode) in files.items():
            _write_new(args.out / name, content, mode)
    except OSError as error:
        print(f"obo-proxy: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if public:
        print(public)
    return 0


def _make_pair(alg: str) -> tuple[Mapping[str, tuple[bytes, int]], str]:
    from ..jose.private_keys import (
        ClientKey,
        build_jwks,
        generate_key,
        pem,
        private_jwk,
        public_jwk,
        thumbprint,
    )

    key = generate_key(alg)
    key_id = thumbprint(public_jwk(key))
    jwk = json.dumps(private_jwk(key, alg=alg, key_id=key_id), indent=2)
    jwks = json.dumps(build_jwks([ClientKey(key, alg, key_id)]), indent=2)
    files = {
        "private-key.pem": (pem(key), _PRIVATE),
        "private-key.jwk.json": (f"{jwk}\n".encode(), _PRIVATE),
        "public-keys.jwks.json": (f"{jwks}\n".encode(), _PUBLIC),
    }
    return files, jwks


def _make_encryption_key() -> tuple[Mapping[str, tuple[bytes, int]], str]:
    line = base64.b64encode(secrets.token_bytes(32)) + b"\n"
    return {"encryption.key": (line, _PRIVATE)}, ""


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Created with ``mode`` from the start: at no moment can others read a private key."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    print(f"obo-proxy: wrote {path}", file=sys.stderr)
