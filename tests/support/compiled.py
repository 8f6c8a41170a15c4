"""Whether the tests run on the compiled wheel.

Its classes are native: they take no stand-ins, their methods cannot be replaced, and nothing refers to them weakly.
"""

from __future__ import annotations

import pytest

from proxy.server import protocol

COMPILED = not str(protocol.__file__).endswith(".py")
interpreted = pytest.mark.skipif(COMPILED, reason="looks into classes as only Python lets one")
