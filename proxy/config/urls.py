"""Which URLs of the configuration may be used, and what is wrong with the others (RFC 3986)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from .faults import Fault, got

# urlsplit drops tabs and line ends without a word; nothing outside this belongs into a URL.
_URL_CHARACTERS = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_HTTP = ("https", "http")
OKTA_DOMAINS = (".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com", ".okta.mil")


def parse_url(text: str, schemes: tuple[str, ...] = _HTTP) -> SplitResult | None:
    """``text`` taken apart; None where it is no absolute URL with a host and one of ``schemes``."""
    try:
        url = urlsplit(text)
        sound = url.scheme in schemes and is_host(url.hostname or "") and url.port != 0
    except ValueError:
        return None
    return url if sound and _URL_CHARACTERS.fullmatch(text) else None


def is_host(text: str) -> bool:
    """Whether ``text`` may be a host name or an address, without a port."""
    return _NAME.fullmatch(text) is not None or _is_ipv6(text)


def check_url(
    place: str,
    text: str,
    *,
    schemes: tuple[str, ...] = _HTTP,
    query: bool = False,
    path: bool = True,
    userinfo: bool = False,
) -> Iterator[Fault]:
    """Faults of an absolute URL that may have, beside scheme and host, just what the flags say."""
    url = parse_url(text, schemes)
    if url is None:
        kinds = "" if schemes == _HTTP else f" with {' or '.join(schemes)}"
        yield Fault(place, f"not an absolute URL{kinds}{got(text)}")
        return
    if "@" in url.netloc and not userinfo:
        yield Fault(place, f"a user name or password in a URL is refused{got(text)}")
    if "#" in text:
        yield Fault(place, f"a fragment ('#…') is refused{got(text)}")
    if "?" in text and not query:
        yield Fault(place, f"a query ('?…') is refused{got(text)}")
    if url.path not in ("", "/") and not path:
        yield Fault(place, f"a path is refused here{got(text)}")


def check_secure_url(place: str, text: str, *, allow_http: bool, query: bool = False) -> Iterator[Fault]:
    """As ``check_url``, and https unless the host is loopback or ``allow_http`` says so."""
    yield from check_url(place, text, query=query)
    url = parse_url(text)
    if url and not is_confidential(text, allow_http=allow_http):
        yield Fault(
            place,
            "plain http is refused, for tokens and keys travel here: use https"
            f" (allow_http: true accepts the risk){got(text)}",
        )


def is_confidential(url: str, *, allow_http: bool) -> bool:
    """Whether secrets may be sent to ``url``: https, or plain http where it is allowed or stays on this host."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        return allow_http or is_loopback(parts.hostname or "")
    return parts.scheme == "https"


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_ipv6(text: str) -> bool:
    """With the brackets that stand around it in URLs, or without."""
    try:
        return ip_address(text.removeprefix("[").removesuffix("]")).version == 6
    except ValueError:
        return False
