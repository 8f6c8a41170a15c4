"""The configuration from a file or the environment, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .document import read_document
from .environment import OVERRIDES, SECTIONS, SIDECAR, build_sidecar, expand, override
from .faults import ConfigurationError, Fault, build_place
from .models import Settings
from .rules import find_faults
from .shape import check_shape

__all__ = ["ConfigurationError", "Fault", "load_settings", "parse_settings"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings in the file ``path``, else in the one ``OBO_CONFIG`` names, else in ``OBO_*`` variables.

    Raises ConfigurationError with every fault.
    """
    if path is None and environ.get("OBO_CONFIG"):
        path = Path(environ["OBO_CONFIG"])
    names = {build_place(place): name for name, place in OVERRIDES.items() if environ.get(name)}
    if path is None:
        tables = (OVERRIDES, SIDECAR, SECTIONS)
        names = {build_place(place): name for table in tables for name, place in table.items()}
        return _parse(override(build_sidecar(environ), environ), names)
    return _parse(override(expand(read_document(path), environ), environ), names)


def parse_settings(raw: Mapping[str, Any], environ: Mapping[str, str] = _NOTHING) -> Settings:
    """The settings in ``raw``, shaped as the file is. Raises ConfigurationError with every fault."""
    return _parse(expand(raw, environ), _NOTHING)


def _parse(raw: dict[str, Any], names: Mapping[str, str]) -> Settings:
    """``names`` are the variables that stand behind places."""
    sound, faults = check_shape(raw)
    faults += tuple(find_faults(sound))
    if faults:
        raise ConfigurationError(
            tuple(Fault(names.get(fault.place, fault.place), fault.message) for fault in faults)
        )
    return sound.settings
