"""What a process that serves does to itself."""

from __future__ import annotations

import subprocess
import sys

# A circle that has grown old, and then as many objects as a process makes when its cache fills.
OLD_CIRCLE = """
import gc, weakref
from proxy.server.process import calm_garbage_collection

class Circle: pass

calm_garbage_collection()
circle = Circle()
circle.own = circle
gone = weakref.ref(circle)
gc.collect(0), gc.collect(1)
del circle
kept = [[] for _ in range(600_000)]
print(gone() is None)
"""


def test_an_old_circle_is_found_in_time():
    """F-36: in a process that lives for months, something refers to itself some day."""
    done = subprocess.run([sys.executable, "-c", OLD_CIRCLE], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
