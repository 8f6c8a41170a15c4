"""A Redis of the test's own."""

import pytest
from valkey.asyncio import Valkey

from ...support.redis_server import run_redis


@pytest.fixture
async def redis(tmp_path):
    async with run_redis(tmp_path) as server:
        yield server


@pytest.fixture
async def store(redis):
    """The test's own look into the store."""
    client = Valkey.from_url(redis.url)
    yield client
    await client.aclose()
