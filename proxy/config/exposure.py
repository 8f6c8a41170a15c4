"""Who reaches the admin side, and what it asks of them."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import Fault, got
from .models import Admin
from .urls import is_loopback


def find_exposure(admin: Admin) -> Iterator[Fault]:
    """An admin side that others reach asks who they are: it tells the configuration, and drops users' tokens."""
    if admin.token_file is None and not is_loopback(admin.host):
        yield Fault(
            "admin.token_file",
            "required where admin.host is not loopback: name a file with a token (or OBO_ADMIN_TOKEN_FILE),"
            f" or listen on 127.0.0.1{got(admin.host)}",
        )
