"""What a release contains, and under whose terms."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest

from .files import LOCKS, PROJECT, ROOT, read_pins

# What may be given to others with an Apache-2.0 program, in whatever words a package says it.
ALLOWED = re.compile(
    r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC|Mozilla Public License 2\.0|MPL-2\.0"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def test_the_wheel_holds_the_package_and_all_it_needs(built: Path) -> None:
    """Every file of proxy/, templates and py.typed among them, and nothing else: no tests, no configuration."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "proxy"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "proxy/py.typed" in names
    assert {name for name in listed if (ROOT / name).exists()} <= names
    assert all(name.startswith("proxy/") and "__pycache__" not in name for name in names)


def test_the_wheel_says_what_it_is(built: Path) -> None:
    """Name, licence and command; the version comes from the tag."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        info = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
        described = message_from_bytes(wheel.read(f"{info}/METADATA"))
        assert b"obo-proxy = proxy.cli:main" in wheel.read(f"{info}/entry_points.txt")
        assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert (described["Name"], described["License-Expression"]) == ("obo-proxy", "Apache-2.0")
    assert re.match(r"\d+\.\d+", described["Version"])


def test_the_source_archive_builds_the_image(built: Path) -> None:
    """Dockerfile, locks and compose file go along."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        "Dockerfile",
        ".dockerignore",
        "compose.yaml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        *LOCKS,
    }
    assert not {name for name in names if name.startswith((".git/", ".venv", "secrets", "dist"))}


@pytest.mark.parametrize("name", sorted(read_pins("requirements.lock")))
def test_the_licence_is_one_that_may_go_along(name: str) -> None:
    """Of everything that is locked, as its own metadata says it."""
    try:
        package = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        pytest.skip("not needed by this Python")
    said = [
        *package.get_all("License-Expression", []),
        *(line for line in package.get_all("Classifier", []) if line.startswith("License ::")),
        *(text.partition("\n")[0] for text in package.get_all("License", [])),
    ]
    assert ALLOWED.search(" ".join(said)), said
    assert not re.search(r"\bA?GPL|GNU (Affero )?General", " ".join(said))


def test_the_version_is_the_tags() -> None:
    """No number stands in the source."""
    assert "version" in PROJECT["project"]["dynamic"]
    assert PROJECT["tool"]["hatch"]["version"]["source"] == "vcs"
