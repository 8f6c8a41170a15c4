"""The APIs behind the routes, and the cache that replicas share: whether they can be reached from here."""

from __future__ import annotations

import asyncio

from ..cache.shared.store import Store
from ..config import models
from ..config.faults import hide_credentials
from ..errors import UpstreamError
from ..parts import Parts
from ..runtime import Clock
from .finding import Finding, build_failure, examine
from .network import advise

_STORE_TIMEOUT = 3.0  # s
_STORE_NAME, _STREAM_NAME = b"obo-proxy:check", b"obo-proxy:check:stream"
_CHECK_STORE = (
    "Start it, or correct cache.shared.url (host, port, user, password, TLS) or the user's rights:"
    " until then nothing is shared, and no purge reaches other replicas."
)


async def examine_upstream(route: models.Route, parts: Parts, clock: Clock) -> Finding:
    """Connect as the route does, and ask for nothing: HEAD, without any token. Raises no ProxyError."""
    upstream = parts.upstreams[route.name]

    async def ask() -> Finding:
        fields = [(b"host", str(upstream.origin).encode()), (b"user-agent", b"obo-proxy-check")]
        try:
            response = await upstream.send("HEAD", b"/", fields, body=None, idempotent=True)
        except UpstreamError as error:
            return build_failure("upstream", route.upstream, error, remedy=advise(error))
        response.close()
        told = f"answers HEAD / by {response.status}{' over HTTP/2' if route.http2 else ''}"
        if response.status < 500:
            return Finding("upstream", route.upstream, "pass", told)
        return Finding("upstream", route.upstream, "warn", told, "Look at the API's own log.")

    return await examine(clock, "upstream", route.upstream, ask)


async def examine_store(settings: models.SharedCache, clock: Clock) -> Finding:
    """Use every command on values that end within the second; the proxy itself goes on without the store."""
    from ..cache.shared.valkey import connect  # noqa: PLC0415 - an extra, needed here alone

    url = settings.url.get_secret_value()
    about = hide_credentials(url)

    async def ask() -> Finding:
        store = connect(url)
        try:
            async with asyncio.timeout(_STORE_TIMEOUT):
                await _use(store)
        except Exception as error:  # noqa: BLE001  the client's own tree, and whatever TLS says
            cause = f"cannot be used: {type(error.__cause__ or error).__name__}"
            return Finding("shared_cache", about, "fail", cause, _CHECK_STORE)
        finally:
            await store.aclose()
        return Finding("shared_cache", about, "pass", "written and read")

    return await examine(clock, "shared_cache", about, ask)


async def _use(store: Store) -> None:
    await store.put(_STORE_NAME, b"1", 1000)
    await store.put_new(_STORE_NAME, b"1", 1000)
    await store.prolong(_STORE_NAME, 1000)
    await store.get([_STORE_NAME])
    await store.append(_STREAM_NAME, b"1", 1, 1000)
    await store.read(_STREAM_NAME, None, 1)
    await store.delete([_STORE_NAME])
