"""The embedded authorization server that answers as Okta does, a sample API, and users alice and bob.

Nothing here protects anything: it is for trying the proxy out and for its tests.
"""

from .demo import Demo

__all__ = ["Demo"]
