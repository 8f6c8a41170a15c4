"""Fixtures of the command line."""

from tests.support.checking import check

__all__ = ["check"]
