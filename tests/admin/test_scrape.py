"""What Prometheus reads."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from proxy.demo import Demo
from tests.support.proxy import Running


async def read(proxy: Running) -> dict[tuple[str, ...], float]:
    """Values by name and labels' values."""
    answer = await proxy.admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_it_holds_ours_and_the_processs(demo: Demo, proxy: Running):
    """O-03: what is counted, what there is now, and what the process takes; each scrape anew."""
    await proxy.get("/orders/1", demo.mint("alice"))
    before = await read(proxy)
    await proxy.get("/orders/1", demo.mint("alice"))
    after = await read(proxy)
    assert after["obo_token_cache_entries",] == 1
    assert after["process_resident_memory_bytes",] > 0
    grown = {
        key for key, value in after.items() if value > before.get(key, 0.0) and key[0].startswith("obo_")
    }
    assert any(key[0] == "obo_requests_total" for key in grown)


async def test_after_a_reload_it_is_the_new_parts(demo: Demo, proxy: Running):
    """F-39: gauges are those of the parts that serve now."""
    await proxy.get("/orders/1", demo.mint("alice"))
    settings = proxy.app.settings
    cache = replace(settings.cache, max_entries=7)
    proxy.app.adopt(proxy.app.prepare(replace(settings, cache=cache)))
    assert (await read(proxy))["obo_token_cache_entries",] == 0
