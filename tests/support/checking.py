"""``obo-proxy check`` as a user runs it, and the shape of its JSON."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from proxy.cli import main

FINDING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["step", "about", "verdict", "summary", "remedy", "code", "seconds"],
    "properties": {
        "step": {"type": "string", "pattern": "^[a-z_]+$"},
        "about": {"type": "string"},
        "verdict": {"enum": ["pass", "warn", "fail", "skip"]},
        "summary": {"type": "string", "minLength": 1},
        "remedy": {"type": "string"},
        "code": {"type": ["string", "null"]},
        "seconds": {"type": "number", "minimum": 0},
    },
}


EXCHANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["route", "before", "after", "differences"],
    "properties": {
        "route": {"type": "string"},
        "before": {"type": "object"},
        "after": {"type": "object"},
        "differences": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "before", "after", "change"],
                "properties": {
                    "name": {"type": "string"},
                    "before": {},
                    "after": {},
                    "change": {"enum": ["same", "changed", "added", "removed"]},
                },
            },
        },
    },
}


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "ok", "counts", "findings", "exchanges"],
    "properties": {
        "version": {"const": 1},
        "ok": {"type": "boolean"},
        "counts": {"type": "object", "required": ["pass", "warn", "fail", "skip"]},
        "findings": {"type": "array", "items": FINDING, "minItems": 1},
        "exchanges": {"type": "array", "items": EXCHANGE},
    },
}
DOCUMENT = jsonschema.Draft202012Validator(SCHEMA)


@dataclass
class Checked:
    """What one run gave."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document = json.loads(self.out)
        DOCUMENT.validate(document)
        return document

    def found(self, verdict: str) -> list[dict[str, Any]]:
        return [finding for finding in self.document["findings"] if finding["verdict"] == verdict]

    def step(self, step: str, about: str = "") -> dict[str, Any]:
        [finding] = [
            one for one in self.document["findings"] if one["step"] == step and about in ("", one["about"])
        ]
        return finding


class Check:
    """Runs the command as a user would, in a thread beside the loop that serves the demo."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    async def text(self, raw: dict[str, Any], token: str | None = None, *options: str) -> Checked:
        config = self.folder / "obo.yaml"
        config.write_text(yaml.safe_dump(raw))
        arguments = ["check", "--config", str(config), *options]
        if token is not None:
            (self.folder / "token").write_text(f"{token}\n")
            arguments += ["--token-file", str(self.folder / "token")]
        status = await asyncio.to_thread(main, arguments)
        return Checked(status, *self.capsys.readouterr())

    async def __call__(self, raw: dict[str, Any], token: str | None = None, *options: str) -> Checked:
        return await self.text(raw, token, "--json", *options)


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    # Reading the system's authorities takes most of a run's time, and none of them vouches for loopback.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    return Check(tmp_path, capsys)
