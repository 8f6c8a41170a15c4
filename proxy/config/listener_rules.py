"""What must hold for where we listen: the public side, the admin side and the authorizer's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .authorizer_rules import find_authorizer_faults
from .binding_rules import find_binding_faults
from .exposure import find_exposure
from .faults import Fault, got
from .files import check_bearer_file, check_certificate
from .models import Admin, Listen
from .token_rules import TOKEN
from .units import name_everybody
from .urls import is_host

if TYPE_CHECKING:
    from .shape import Sound

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


def find_listener_faults(sound: Sound) -> Iterator[Fault]:
    """Every fault of the three sides, and of two that want the same port."""
    settings = sound.settings
    yield from _find_listen_faults(settings.listen)
    yield from _find_admin_faults(settings.admin, settings.listen if sound.is_whole("listen") else None)
    yield from find_authorizer_faults(settings, sound.routes)
    yield from _find_taken_port(sound)


def _find_listen_faults(listen: Listen) -> Iterator[Fault]:
    yield from _find_host_fault("listen.host", listen.host)
    for key in ("header_timeout", "keep_alive_timeout"):
        if getattr(listen, key) == 0:
            yield Fault(f"listen.{key}", "must be more than 0")
    yield from _find_trust_in_everybody(listen)
    for index, name in enumerate(listen.strip_headers):
        if not TOKEN.fullmatch(name) or "*" in name[:-1] or name == "*":
            yield Fault(
                f"listen.strip_headers[{index}]",
                f"not the name of a header, or the beginning of one with a * behind it{got(name)}",
            )
    if listen.tls:
        yield from check_certificate("listen.tls", listen.tls.cert_file, listen.tls.key_file)
    yield from find_binding_faults(listen)


def _find_trust_in_everybody(listen: Listen) -> Iterator[Fault]:
    """Whoever is trusted says who the caller is."""
    if name_everybody(listen.trusted_proxies):
        yield Fault(
            "listen.trusted_proxies",
            "every address, so that any caller could choose its X-Forwarded-For: name the proxies' networks",
        )


def _find_admin_faults(admin: Admin, listen: Listen | None) -> Iterator[Fault]:
    yield from _find_host_fault("admin.host", admin.host)
    if listen and admin.port == listen.port != 0 and _overlap(admin.host, listen.host):
        yield Fault(
            "admin.port", f"the same as listen.port: the admin side needs one of its own{got(admin.port)}"
        )
    if is_host(admin.host):
        yield from find_exposure(admin)
    if admin.token_file:
        yield from check_bearer_file("admin.token_file", admin.token_file)


def _find_taken_port(sound: Sound) -> Iterator[Fault]:
    authorizer = sound.settings.authorizer
    if authorizer is None or authorizer.socket_path is not None or not authorizer.port:
        return
    for name in ("listen", "admin"):
        other = getattr(sound.settings, name)
        if sound.is_whole(name) and authorizer.port == other.port and _overlap(authorizer.host, other.host):
            yield Fault(
                "authorizer.port",
                f"the same as {name}.port: gateways ask at a port of their own{got(authorizer.port)}",
            )


def _find_host_fault(place: str, host: str) -> Iterator[Fault]:
    if not is_host(host):
        yield Fault(place, f"not a host name or address without a port{got(host)}")


def _overlap(one: str, other: str) -> bool:
    return one == other or one in _EVERYWHERE or other in _EVERYWHERE
