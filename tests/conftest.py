"""Fixtures that every test may ask for."""

from .support.demo import demo

__all__ = ["demo"]
