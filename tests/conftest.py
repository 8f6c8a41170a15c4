"""Fixtures that every test may ask for, and what makes a run of all of them quick."""

from __future__ import annotations

import gc
import os
import sys

import pytest

from .support.compiled import COMPILED
from .support.demo import demo

__all__ = ["demo"]

# Else each worker compiles every test anew, and each process that a test starts the whole proxy.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

gc.disable()  # thousands of tests are made, and kept


def pytest_configure(config: pytest.Config) -> None:
    """What mypyc's own runtime does at a cancellation is deprecated since Python 3.12: nothing of ours is asked."""
    if COMPILED:
        signature = r"ignore:the \(type, exc, tb\) signature of throw:DeprecationWarning"
        config.addinivalue_line("filterwarnings", signature)


def pytest_collection_finish() -> None:
    """From here on there is garbage again; what was made so far is not looked at."""
    gc.enable()
    gc.freeze()
