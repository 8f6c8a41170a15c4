"""The kinds of store that a URL may name, on real servers."""

import asyncio

import pytest
from valkey.asyncio import Valkey

from proxy.cache.revocation import Revocation
from proxy.config.faults import ConfigurationError

from ...support.caching import make_subject_token
from ...support.certificates import Authority
from ...support.redis_server import find_free_port, run_redis
from ...support.replicas import ALICE, BOB, KEYS, NEW_KEY, replicas
from .building import build, write_keys


async def test_a_store_that_speaks_no_redis_is_away():
    """C-21: garbage on the wire costs nothing but the sharing."""

    async def babble(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, replicas(f"valkey://127.0.0.1:{port}", 1) as (one,):
        assert await one.get(ALICE) == "alice#1"
        assert one.shared.failures == 1


async def test_a_cluster_serves(tmp_path):
    """C-20: with ``+cluster`` any node is enough; an owner's names lie in one slot."""
    # By default the cluster's own port lies 10,000 above, where there may be none.
    bus = ("--cluster-port", str(find_free_port()))
    options = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", *bus)
    async with run_redis(tmp_path, *options) as server:
        client = Valkey.from_url(server.url)
        await client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(10):
            while (await client.execute_command("CLUSTER INFO"))["cluster_state"] != "ok":
                await asyncio.sleep(0.05)
        url = f"valkey+cluster://127.0.0.1:{server.port}"
        async with replicas(url) as (one, two):
            acted = ALICE.act_by(make_subject_token("carol"))  # with a generation in each of two slots
            for token in (ALICE, acted):
                value = await one.get(token)
                await one.settle()
                assert await two.get(token) == value
            assert two.source.calls == 0
            await one.hearing.look()
            users = (ALICE, BOB, make_subject_token("carol"))
            await asyncio.gather(*(two.cache.purge(user.issuer, user.subject) for user in users))
            await one.hearing.look()
            assert one.tokens.cached(ALICE) is None
            assert await two.get(ALICE) == "alice#1"
            await two.get(acted)
            assert two.source.calls == 2
            names = [bytes([number]) * 32 for number in range(3)]  # one user's, each in a slot of its own
            await two.shared.revoke(Revocation("user", names[1], 1000.0))
            assert await one.shared.recall(names) == [Revocation("user", names[1], 1000.0)]
            assert one.shared.failures == two.shared.failures == 0
        async with replicas(url, 1, keys=(NEW_KEY, *KEYS)) as (three,):
            assert await three.get(ALICE) == "alice#1"
            assert (three.source.calls, three.shared.failures) == (0, 0)
        await client.aclose()


async def test_sentinels_name_the_store(redis, tmp_path):
    """C-20: with ``+sentinel`` the store is whichever the sentinels say it is."""
    (tmp_path / "s").mkdir()
    port = find_free_port()
    configuration = tmp_path / "s" / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\nprotected-mode no\nsentinel monitor orders 127.0.0.1 {redis.port} 1\n"
    )
    async with run_redis(tmp_path / "s", sentinel_file=configuration):
        sentinels = f"127.0.0.1:{find_free_port()},127.0.0.1:{port}"
        async with replicas(f"valkey+sentinel://{sentinels}/orders/0") as (one, two):
            await one.get(ALICE)
            await one.settle()
            assert await two.get(ALICE) == "alice#1"
            assert two.source.calls == 0


@pytest.mark.parametrize(
    ("host", "trusted", "failures"),
    [("127.0.0.1", True, 0), ("valkey.example.com", True, 1), ("127.0.0.1", False, 1)],
    ids=["right", "another host's", "another authority's"],
)
async def test_tls_checks_whose_certificate_it_is(tmp_path, host, trusted, failures):
    """C-20: with TLS the certificate must be this very host's, and of an authority we trust."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    issued = authority.issue(host)
    port = find_free_port()
    options = {
        "--port": "0",
        "--tls-port": str(port),
        "--tls-cert-file": str(issued.cert_file),
        "--tls-key-file": str(issued.key_file),
        "--tls-ca-cert-file": str(authority.ca_file),
        "--tls-auth-clients": "no",
    }
    ca_file = authority.ca_file if trusted else other.ca_file
    url = f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={ca_file}"
    async with (
        run_redis(tmp_path, *(part for option in options.items() for part in option)),
        replicas(url, 1) as (one,),
    ):
        assert await one.get(ALICE) == "alice#1"
        await one.settle()
        assert one.shared.failures == failures


async def test_a_user_with_few_rights_is_enough(redis, store):
    """C-20: an ACL user who may use these few commands, on our names alone; a wrong password is a store away."""
    rights = "+mget +set +del +pexpire +xadd +xrange ~obo-proxy:*"
    await store.execute_command("ACL SETUSER", "proxy", "on", ">secret", *rights.split())
    async with replicas(f"valkey://proxy:secret@127.0.0.1:{redis.port}/0") as (one, two):
        await one.get(ALICE)
        await one.settle()
        assert await two.get(ALICE) == "alice#1"
        assert (one.shared.failures, two.shared.failures, two.source.calls) == (0, 0, 0)
        assert await one.cache.purge(ALICE.issuer, "alice") == 1
        await two.hearing.look()
    async with replicas(f"valkey://proxy:wrong@127.0.0.1:{redis.port}/0", 1) as (three,):
        assert await three.get(ALICE) == "alice#1"
        assert three.shared.failures == 1


@pytest.mark.parametrize(
    "url",
    ["valkey+other://127.0.0.1", "valkey+sentinel://127.0.0.1", "http://127.0.0.1"],
    ids=["kind", "no service", "scheme"],
)
def test_a_url_that_names_no_store_is_refused(url, tmp_path):
    """Bad configuration is a fault at start, and shows no credentials."""
    with pytest.raises(ConfigurationError) as caught:
        build(url, write_keys(tmp_path))
    assert str(caught.value) == "cache.shared.url: names no store"
