"""File descriptors: as many as the system gives, and no more connections than they last for."""

from __future__ import annotations

import logging
import resource

log = logging.getLogger(__name__)

_RESERVE = 64  # for listeners, files, the log, the authorization servers


def raise_limit() -> None:
    """Lift the soft limit to the hard one; where that is refused the soft one stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        log.info("open files limit stays", extra={"limit": soft})


def affordable_connections(wanted: int, *, each: int = 2) -> int:
    """``wanted``, or what the limit allows, where ``each`` takes that many: it may need a second one, upstream."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    affordable = max(1, (soft - _RESERVE) // each)
    if affordable < wanted:
        log.warning(
            "fewer connections than configured",
            extra={"max_connections": wanted, "used": affordable, "remedy": "raise the limit of open files"},
        )
    return min(wanted, affordable)
