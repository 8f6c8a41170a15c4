"""Who may use a route that calls with credentials of our own and asks its caller for none.

A browser sends whatever any page asks it to, also to loopback; being reached is then no sign of the user's will.
It says for which site it asks (``Sec-Fetch-Site``, W3C Fetch Metadata §2.3; ``Origin``, RFC 6454 §7), and by which
name it was looked up (``Host``): a page that has its own name point to our address cannot hide that name.
Programs say none of this, and pass.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..downstream.request import Downstream, parse_host
from ..errors import CrossSiteRefused
from ..http.uri import DEFAULT_PORTS

_OWN_SITES = frozenset({b"same-origin", b"none"})  # none: the user's own doing, such as a bookmark
_ADDRESS = re.compile(rb"[0-9.]+|\[.*\]")  # no name that anybody could have point elsewhere


class CrossSiteGuard:
    """For one route. Pages of ``allowed_origins`` (lower-case) may call it, too.

    ``this_machine`` is for a route that names no host on a listener that only this machine reaches: there no other
    name than its own is ours.
    """

    def __init__(self, *, allowed_origins: Collection[str] = (), this_machine: bool = False) -> None:
        self._allowed = frozenset(allowed_origins)
        self._this_machine = this_machine

    def check(self, downstream: Downstream) -> None:
        """Raises CrossSiteRefused."""
        if self._this_machine and not is_this_machine(parse_host(downstream.host_field)):
            raise CrossSiteRefused(
                "Host is neither an address nor localhost",
                remedy="If callers reach the route by another name, give that as the route's host.",
            )
        origins = [value.decode("latin-1").lower() for value in downstream.values(b"origin")]
        if origins and self._allowed.issuperset(origins):
            return
        sites = downstream.values(b"sec-fetch-site")
        if not (_OWN_SITES.issuperset(sites) if sites else all(_is_own(one, downstream) for one in origins)):
            raise CrossSiteRefused("a browser made the request for a page of another origin")


def is_this_machine(host: bytes) -> bool:
    """Whether ``host``, as ``parse_host`` gives it, is no name that anybody could have point here."""
    name = host.removesuffix(b".")
    return (
        name == b"localhost"
        or name.endswith(b".localhost")  # RFC 6761 §6.3
        or _ADDRESS.fullmatch(name) is not None
        or not name  # HTTP/1.0, which no browser speaks
    )


def _is_own(origin: str, downstream: Downstream) -> bool:
    """Whether host and port are those that were asked for; the scheme may differ, where TLS ends in front of us."""
    scheme, _, authority = origin.partition("://")
    asked_for = {downstream.host_field.decode("latin-1"), downstream.origin.partition("://")[2]}
    port = DEFAULT_PORTS.get(scheme, "")
    return authority.removesuffix(port) in {one.lower().removesuffix(port) for one in asked_for}
