"""Fixtures of the diagnosis: most of it is seen where a user sees it."""

from tests.support.checking import check

__all__ = ["check"]
