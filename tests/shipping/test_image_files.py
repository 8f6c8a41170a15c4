"""What the image is built from: Dockerfile, locks, context."""

from __future__ import annotations

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .files import LOCKS, MYPYC, PROJECT, ROOT, read_compose, read_pins

DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(None, 1) for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if line[:1].isupper()
]
LAST_STAGE = INSTRUCTIONS[max(number for number, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


def find(name: str) -> list[str]:
    return [rest for each, rest in LAST_STAGE if each == name]


def test_both_stages_begin_with_the_same_base() -> None:
    """The environment of the first stage names the interpreter of the last."""
    bases = [rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"]
    assert bases == ["${PYTHON_IMAGE}"] * 2


def test_the_base_can_be_given_by_its_digest() -> None:
    """It is one argument before the first stage; without it the tag counts, here and in compose.yaml."""
    assert INSTRUCTIONS[0] == ["ARG", "PYTHON_IMAGE=python:3.13-slim"]
    build = read_compose(ROOT / "compose.yaml")["x-obo-proxy"]["build"]
    assert build["args"]["PYTHON_IMAGE"] == "${PYTHON_IMAGE:-python:3.13-slim}"


def test_the_user_is_a_number_and_not_root() -> None:
    """An orchestrator can see by the number alone that nothing runs as root."""
    assert find("USER") == ["65532:65532"]


def test_the_program_is_the_first_process_and_gets_the_signals() -> None:
    """F-34: exec forms, so that no shell stands between SIGTERM and the drain."""
    assert find("STOPSIGNAL") == ["SIGTERM"]
    assert find("ENTRYPOINT") == ['["obo-proxy"]']
    assert find("CMD") == ['["serve"]']


def test_the_program_checks_its_own_health() -> None:
    """No curl need be there."""
    assert find("HEALTHCHECK")[0].endswith('CMD ["obo-proxy", "healthcheck"]')


def test_nothing_is_fetched_but_what_the_locks_say() -> None:
    """No ADD, no shell download; every install is by hash or of our own wheel, but for the distribution's compiler."""
    assert not [rest for name, rest in INSTRUCTIONS if name == "ADD" or re.search(r"\b(curl|wget)\b", rest)]
    packages = re.findall(r"apt-get install \S+ --no-install-recommends ([a-z0-9 -]+)", DOCKERFILE)
    assert packages == ["gcc libc6-dev "]
    installs = re.findall(r"pip\s[^&]*?install [^&\n]*", DOCKERFILE)
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)


def test_the_last_stage_builds_nothing() -> None:
    """It takes the environment as it is; the one command makes a folder."""
    assert [command.split()[0] for command in find("RUN")] == ["install"]
    assert find("COPY") == ["--from=build /opt/obo-proxy /opt/obo-proxy"]


def test_the_context_is_named_file_by_file() -> None:
    """Secrets and histories that lie about in a checkout are never sent to the engine."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.lstrip("!").split("/")[0] for line in lines[1:]} == {
        *("proxy", "pyproject.toml", "README.md", "LICENSE", "**"),
        *LOCKS,
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_index(lock: str) -> None:
    """Whoever installs chooses where from; what comes must be the very files."""
    text = (ROOT / lock).read_text()
    pins = [pin for pin in re.split(r"\n(?=[A-Za-z])", text) if not pin.startswith("#")]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"://|--(extra-)?index|--find-links|\s@\s|/", text.replace(".ci/lock", ""))


def test_every_platform_can_install_the_lock() -> None:
    """Of what is compiled, the wheels of more than one platform may be taken."""
    text = (ROOT / "requirements.lock").read_text()
    for name in ("cryptography", "httptools", "pydantic-core", "uvloop"):
        assert text.partition(f"\n{name}==")[2].partition("\n\n")[0].count("--hash") > 5


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements.lock", PROJECT["project"]["optional-dependencies"]["http2"]),
        ("requirements.lock", PROJECT["project"]["optional-dependencies"]["valkey"]),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
        ("requirements-build.lock", MYPYC["dependencies"]),
    ],
    ids=["dependencies", "http2", "valkey", "build", "compiled"],
)
def test_the_locks_are_in_step_with_the_project(lock: str, asked: list[str]) -> None:
    """After a change of pyproject.toml: .ci/lock."""
    pins = {canonicalize_name(name): version for name, version in read_pins(lock).items()}
    for text in asked:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0")), text
