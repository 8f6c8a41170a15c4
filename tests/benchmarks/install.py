"""Finds the peers' programs, or puts them into a cache folder: nothing is installed into the system.

Debian's packages are downloaded and unpacked without root, PyPI's go into a virtual environment for each peer,
npm's into a folder. Every function raises ``Missing`` with the reason where a program cannot be had.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CACHE = Path(os.environ.get("OBO_BENCH_CACHE") or Path.home() / ".cache" / "obo-proxy-bench")
DEBIAN = CACHE / "debian"


class Missing(Exception):
    """A peer that is not to be had here, and why."""


def find_program(name: str, package: str) -> Path:
    """The program on ``PATH`` or under ``/usr/sbin``, else out of Debian's ``package``."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *map(str, DEBIAN.glob("usr/*bin"))])
    found = shutil.which(name, path=path)
    if found is None:
        unpack_debian(package)
        found = shutil.which(
            name, path=path + os.pathsep + os.pathsep.join(map(str, DEBIAN.glob("usr/*bin")))
        )
    if found is None:
        raise Missing(f"Debian's package {package} has no program {name}")
    return Path(found)


def find_nginx_module(file: str, package: str) -> Path:
    """A loadable module of nginx."""
    places = ("usr/lib/nginx/modules", "usr/share/nginx/modules")
    candidates = [root / place / file for root in (Path("/"), DEBIAN) for place in places]
    if not any(map(Path.exists, candidates)):
        unpack_debian(package)
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise Missing(f"Debian's package {package} has no {file}")


def library_path() -> dict[str, str]:
    """The environment in which unpacked programs find their libraries."""
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, DEBIAN.glob("usr/lib/*-linux-gnu")))}


def unpack_debian(package: str) -> None:
    """Downloads ``package`` and what it needs beyond the packages installed, and unpacks them into the cache."""
    if shutil.which("apt-get") is None:
        raise Missing(f"not on PATH, and no apt-get to fetch Debian's {package}")
    DEBIAN.mkdir(parents=True, exist_ok=True)
    plan = _run("apt-get", "-s", "install", "--no-install-recommends", package)
    names = re.findall(r"^Inst (\S+) \((?!.*\[upgradable)", plan, re.MULTILINE)
    _run("apt-get", "download", *names, cwd=DEBIAN)
    for archive in DEBIAN.glob("*.deb"):
        _run("dpkg", "-x", archive.name, ".", cwd=DEBIAN)
        archive.unlink()


def find_python(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment that holds ``requirements``."""
    folder = CACHE / "python" / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        _run(python, "-m", "pip", "install", "--quiet", *requirements)
        (folder / "complete").touch()
    return python


def find_npm(package: str, version: str) -> Path:
    """A folder in whose ``node_modules`` the package stands."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("needs node and npm on PATH")
    folder = CACHE / "npm" / package.replace("/", "_")
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        _run("npm", "install", "--no-audit", "--no-fund", f"{package}@{version}", cwd=folder)
        (folder / "complete").touch()
    return folder


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=300, check=True
        )
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["no output"]
        raise Missing(f"{' '.join(map(str, command[:3]))} … failed: {lines[-1][:200]}") from error
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{command[0]} took too long") from error
    return done.stdout
