"""What a process tells of itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from proxy.observability.process_metrics import collect_process, collect_python

VARYING = {
    "process_virtual_memory_bytes",
    "process_resident_memory_bytes",
    "process_cpu_seconds",
    "process_open_fds",
}


def test_it_is_what_the_library_tells():
    """O-03: by the same names, and what does not change meanwhile with the same values."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    theirs = {metric.name: metric for metric in registry.collect()}
    ours = {family.name: family for family in (*collect_process(), *collect_python())}
    for name, metric in theirs.items():
        family = ours.pop(name)
        assert (family.kind, family.documentation) == (metric.type, metric.documentation)
        assert [(one.name, one.labels) for one in family.samples] == [
            (one.name, one.labels) for one in metric.samples
        ]
        if name not in VARYING and not name.startswith("python_gc"):
            assert [one.value for one in family.samples] == [one.value for one in metric.samples]
    assert ours == {}
