"""The store of the shared cache: a Valkey or Redis, alone, behind Sentinel, or as a cluster.

URLs are the client's: ``valkey://``, ``valkeys://`` (TLS), ``redis://``, ``rediss://`` and ``unix://``. With
``+cluster`` behind the scheme any node of a cluster is named, with ``+sentinel`` the sentinels and the
service: ``valkey+sentinel://user:password@one:26379,two:26379/service/0``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from valkey.asyncio import BlockingConnectionPool, Sentinel, Valkey, ValkeyCluster
from valkey.exceptions import ResponseError

from .store import StoreRefused

CONNECTIONS: Final = 64  # more than are busy at once as long as the store answers within its budget
# Nobody waits that long (``store.BUDGET``), but a connection may take longer to make than a command.
_TIMEOUTS: Final = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}  # s
_FIELD: Final = b"v"  # of an entry in a stream
_SENTINEL_PORT: Final = 26379
_TLS_SCHEMES: Final = {"valkeys", "rediss"}


class ValkeyStore:
    """Implements ``Store`` on one of the client's kinds; ``others`` are closed with it."""

    def __init__(self, client: Any, *others: Any) -> None:
        self._client = client
        self._others = others

    async def get(self, names: Sequence[bytes]) -> Sequence[Any]:
        with _refusals():
            values: Sequence[Any] = await self._client.mget(names)
            return values

    async def put(self, name: bytes, value: bytes, milliseconds: int) -> None:
        with _refusals():
            await self._client.set(name, value, px=milliseconds)

    async def put_new(self, name: bytes, value: bytes, milliseconds: int) -> bool:
        with _refusals():
            return bool(await self._client.set(name, value, px=milliseconds, nx=True))

    async def prolong(self, name: bytes, milliseconds: int) -> bool:
        with _refusals():
            return bool(await self._client.pexpire(name, milliseconds))

    async def delete(self, names: Sequence[bytes]) -> None:
        with _refusals():
            await self._client.delete(*names)

    async def append(self, name: bytes, value: bytes, most: int, milliseconds: int) -> None:
        with _refusals():
            await self._client.xadd(name, {_FIELD: value}, maxlen=most)
            await self._client.pexpire(name, milliseconds)

    async def read(self, name: bytes, place: bytes | None, most: int) -> Sequence[tuple[bytes, Any]]:
        with _refusals():
            entries = await self._client.xrange(name, place or b"-", count=most)
            return [(at, fields.get(_FIELD)) for at, fields in entries]

    async def aclose(self) -> None:
        for client in (self._client, *self._others):
            await client.aclose()


class ClusterStore(ValkeyStore):
    """Names of one owner lie in one slot; those of several owners, or under several keys of ours, in several."""

    async def get(self, names: Sequence[bytes]) -> Sequence[Any]:
        if len({self._client.keyslot(name) for name in names}) == 1:
            return await super().get(names)
        with _refusals():
            values: Sequence[Any] = await self._client.mget_nonatomic(names)
            return values


def connect(url: str) -> ValkeyStore:
    """The store at ``url``; nothing is sent yet. Raises ValueError for a URL that names none."""
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    # The client by itself checks the certificate, but not that it is this host's.
    tls = {"ssl_check_hostname": True} if scheme in _TLS_SCHEMES else {}
    options: dict[str, Any] = _TIMEOUTS | tls
    if kind == "sentinel":
        return _connect_by_sentinel(parts, options | ({"ssl": True} if tls else {}))
    plain = urlunsplit(parts._replace(scheme=scheme))
    if kind == "cluster":
        return ClusterStore(ValkeyCluster.from_url(plain, max_connections=CONNECTIONS, **options))
    if kind:
        raise ValueError(f"neither +sentinel nor +cluster: +{kind}")
    pool = BlockingConnectionPool.from_url(plain, max_connections=CONNECTIONS, **options)
    return ValkeyStore(Valkey.from_pool(pool))


def _connect_by_sentinel(parts: SplitResult, options: dict[str, Any]) -> ValkeyStore:
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("no service behind the sentinels' hosts")
    nodes = [_parse_host(host) for host in hosts.split(",")]
    sentinel = Sentinel(nodes, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    master = sentinel.master_for(
        service,
        username=unquote(username) or None,
        password=unquote(password) or None,
        db=int(db or 0),
        max_connections=CONNECTIONS,
        **options,
    )
    return ValkeyStore(master, *sentinel.sentinels)


def _parse_host(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    return name.strip("[]"), int(port or _SENTINEL_PORT)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except ResponseError as error:
        raise StoreRefused(type(error).__name__) from error
