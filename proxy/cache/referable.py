"""What lives as long as somebody uses it, and is found until then."""

from __future__ import annotations


class Referable:
    """May be referred to weakly, as native classes may not: so this one must not be compiled, its heirs may."""
