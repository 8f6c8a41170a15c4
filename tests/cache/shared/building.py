"""A shared cache built from its settings, and a look into its store."""

from base64 import b64encode

from proxy.cache.shared.shared_cache import build_shared_cache
from proxy.cache.user_revocations import UserRevocations
from proxy.config import models
from proxy.config.shape import build_section
from proxy.runtime import Background

from ...support.issuer import StillClock

KEY_FILE = b64encode(bytes(32))


def write_keys(directory, content=KEY_FILE):
    path = directory / "encryption.key"
    path.write_bytes(content)
    return path


def build(url, path):
    settings = build_section(models.SharedCache, {"url": url, "encryption_key_file": path})
    clock = StillClock()
    return build_shared_cache(
        settings, max_ttl=3600.0, users=UserRevocations(clock), clock=clock, background=Background()
    )


async def names_of(store, kind: str) -> list[bytes]:
    return sorted(await store.keys(f"*:{kind}:*"))
