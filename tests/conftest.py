"""Fixtures that every test may ask for, and what makes a run of all of them quick."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from .support.compiled import COMPILED
from .support.demo import demo

__all__ = ["demo"]

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "proxy"

# Else each worker compiles every test anew, and each process that a test starts the whole proxy.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

gc.disable()  # thousands of tests are made, and kept


def pytest_configure(config: pytest.Config) -> None:
    """What mypyc's own runtime does at a cancellation is deprecated since Python 3.12: nothing of ours is asked."""
    if COMPILED:
        signature = r"ignore:the \(type, exc, tb\) signature of throw:DeprecationWarning"
        config.addinivalue_line("filterwarnings", signature)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage counts what a module's own tests run; those of the whole would take twice their time under it."""
    top = item.path.relative_to(TESTS).parts[0]
    trace = sys.gettrace()
    if item.config.pluginmanager.hasplugin("_cov") and not (PACKAGE / top.removeprefix("test_")).exists():
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


def pytest_collection_finish() -> None:
    """From here on there is garbage again; what was made so far is not looked at."""
    gc.enable()
    gc.freeze()
