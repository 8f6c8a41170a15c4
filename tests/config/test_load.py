"""Where the configuration comes from: a file, the environment, or both."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from proxy.config.load import ConfigurationError, load_settings

from .samples import SIDECAR, SOUND, change


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "obo.yaml"
    path.write_text(yaml.safe_dump(change(("listen.port", 1111))))
    return path


def test_a_file_goes_before_the_environment(file: Path) -> None:
    """--config, else OBO_CONFIG, else the variables."""
    assert load_settings(file, {"OBO_CONFIG": "/nowhere", **SIDECAR}).listen.port == 1111
    assert load_settings(None, {"OBO_CONFIG": str(file), **SIDECAR}).listen.port == 1111
    assert load_settings(None, {"OBO_CONFIG": "", **SIDECAR}).listen.port == 8080


def test_six_variables_go_over_a_file(file: Path, tmp_path: Path) -> None:
    """An image needs OBO_HOST=0.0.0.0 whatever the file says; an empty variable says nothing."""
    token = tmp_path / "admin-token"
    token.write_text("t0ken")
    token.chmod(0o400)
    environ = {
        "OBO_HOST": "0.0.0.0",
        "OBO_PORT": "8000",
        "OBO_ADMIN_HOST": "::",
        "OBO_ADMIN_PORT": "9000",
        "OBO_ADMIN_TOKEN_FILE": str(token),
        "OBO_LOG_LEVEL": "debug",
    }
    settings = load_settings(file, environ)
    assert (settings.listen.host, settings.listen.port) == ("0.0.0.0", 8000)
    assert (settings.admin.host, settings.admin.port, settings.admin.token_file) == ("::", 9000, token)
    assert settings.log.level == "debug"
    assert load_settings(file, {"OBO_PORT": ""}).listen.port == 1111


def test_a_fault_of_a_variable_bears_its_name(file: Path) -> None:
    """Nobody looks for it in the file."""
    with pytest.raises(ConfigurationError, match=r"^OBO_PORT: not a whole number \(got 'x'\)$"):
        load_settings(file, {"OBO_PORT": "x"})


def test_an_override_leaves_a_faulty_section_to_its_fault(file: Path) -> None:
    """A section that is no mapping is reported as one."""
    file.write_text(yaml.safe_dump({**SOUND, "listen": 5}))
    with pytest.raises(ConfigurationError, match=r"^listen: not a mapping of keys to values$"):
        load_settings(file, {"OBO_PORT": "1"})
