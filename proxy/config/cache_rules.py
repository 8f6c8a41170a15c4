"""What must hold for the cache of exchanged tokens."""

from __future__ import annotations

from collections.abc import Iterator

from .faults import Fault, got
from .files import check_encryption_key_file
from .models import Cache
from .urls import check_url

_SHARED_CACHE_SCHEMES = ("valkey", "valkeys", "redis", "rediss")
# Claims that stay in the key. Without the first two one user would be served another's token; without the others
# a right that one actor has would pass for another's.
_KEPT_CLAIMS = {
    "iss": "tells users apart",
    "sub": "tells users apart",
    "act": "says who acts for the user",
    "may_act": "says who acts for the user",
}


def find_cache_faults(cache: Cache) -> Iterator[Fault]:
    """Every fault of ``cache``, and of the store that replicas share."""
    if 0 < cache.max_ttl <= cache.expiry_leeway:
        yield Fault(
            "cache.expiry_leeway",
            f"not less than max_ttl: nothing would ever be kept{got(cache.expiry_leeway)}",
        )
    for index, claim in enumerate(cache.ignore_claims):
        if claim in _KEPT_CLAIMS:
            yield Fault(
                f"cache.ignore_claims[{index}]",
                f"{_KEPT_CLAIMS[claim]}, so it stays in the key{got(claim)}",
            )
    if cache.ignore_claims and cache.key == "token":
        yield Fault("cache.ignore_claims", "not used with key: token, so leave it out")
    if cache.shared:
        yield from _check_store_url("cache.shared.url", cache.shared.url.get_secret_value())
        yield from check_encryption_key_file(
            "cache.shared.encryption_key_file", cache.shared.encryption_key_file
        )


def _check_store_url(place: str, text: str) -> Iterator[Fault]:
    """``unix:///path`` has no host; behind ``+sentinel://`` there may be several, with commas between."""
    scheme, _, rest = text.partition("://")
    if scheme == "unix":
        if not rest.partition("?")[0].rpartition("@")[2].startswith("/"):
            yield Fault(place, "no path of a socket behind unix://")
        return
    sentinel = scheme.endswith("+sentinel")
    hosts, slash, path = rest.partition("/")
    user, at, hosts = hosts.rpartition("@")
    plain = scheme.removesuffix("+sentinel").removesuffix("+cluster")
    for host in hosts.split(",") if sentinel else [hosts]:
        url = f"{plain}://{user}{at}{host}{slash}{path}"
        yield from check_url(place, url, schemes=_SHARED_CACHE_SCHEMES, userinfo=True, query=True)
    if sentinel and not path:
        yield Fault(place, "no service behind the sentinels: valkey+sentinel://host,host/service")
