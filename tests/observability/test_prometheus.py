"""Alert rules and the dashboard, by Prometheus' own tools and by a real Prometheus that scrapes a real proxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.demo import Demo
from tests.support.proxy import Running, running

from .prometheus import CONFIG, prometheus, requires_prometheus

GRAFANA = CONFIG.parent / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboard.json").read_text())
# Nothing is shared in these tests, and a family without a source has no sample.
NO_DATA = {"Shared cache"}


def panels() -> Iterator[dict[str, Any]]:
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> list[tuple[str, str]]:
    """Every panel's title and expression, with Grafana's variables filled in."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*"))
        for panel in panels()
        for target in panel["targets"]
    ]


@requires_prometheus
@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", CONFIG / "prometheus.yml"],
        ["check", "config", "--syntax-only", CONFIG.parent / "compose" / "prometheus.yml"],
        ["check", "rules", CONFIG / "alerts.yml"],
        ["test", "rules", Path(__file__).parent / "alerts_test.yml"],
    ],
    ids=["configuration", "configuration among containers", "rules", "rules over time"],
)
def test_promtool(command: list[Any]):
    """The files are sound, and each alert fires when it shall and at no other time."""
    done = subprocess.run(
        ["promtool", *map(str, command)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_over_time():
    """None is without an entry in the unit tests."""
    rules = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"][0]["rules"]
    tested = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())["tests"]
    firing = {case["alertname"] for test in tested for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert firing == {rule["alert"] for rule in rules}


async def make_traffic(demo: Demo, proxy: Running) -> None:
    alice = demo.mint("alice")
    for path in ("/orders/1", "/orders/2", "/profile", "/payroll", "/nowhere", "/orders/status/503"):
        await proxy.get(path, alice)
    await proxy.get("/orders")
    await proxy.get("/orders", demo.mint("bob"))


@requires_prometheus
async def test_every_query_of_the_dashboard_has_an_answer(demo: Demo, tmp_path: Path):
    """O-03: asked of a Prometheus that scrapes a proxy with some traffic, each brings data."""
    async with running(demo.settings()) as proxy, prometheus(tmp_path, proxy.admin_url) as server:
        await server.until('up{job="obo-proxy"} == 1')
        await make_traffic(demo, proxy)
        await server.until('obo_requests_total{route="orders"}')  # where a series begins is no increase
        await make_traffic(demo, proxy)
        await server.until('sum(rate(obo_requests_total{route="orders"}[10s])) > 0')
        await server.until("sum(rate(obo_event_loop_lag_seconds_count[10s])) > 0")
        empty = {title for title, expression in queries() if not await server.query(expression)}
        assert empty == NO_DATA
        rules = await server.read("/api/v1/rules")
        assert {rule["health"] for rule in rules["groups"][0]["rules"]} == {"ok"}
        names = await server.read("/api/v1/label/instance/values")
        assert len(names) == 1


@requires_prometheus
async def test_alerts_fire_in_an_outage(demo: Demo, tmp_path: Path):
    """The authorization server goes away, then the proxy: somebody hears of both."""
    async with running(demo.settings()) as proxy, prometheus(tmp_path, proxy.admin_url, scale=30) as server:
        await server.until('up{job="obo-proxy"} == 1')
        assert not await server.query('ALERTS{severity="critical"}')
        await proxy.get("/orders", demo.mint("alice"))
        await demo.authorization_server.stop()
        for user in ("bob", "carol", "dave"):
            assert (await proxy.get("/orders", demo.mint(user))).status_code == 503
        firing = 'ALERTS{alertstate="firing", alertname="%s"}'
        (alert,) = await server.until(firing % "OboAuthorizationServerDown")
        assert alert["metric"]["authorization_server"] == "orders"
        await proxy.server.__aexit__(None, None, None)
        await server.until(firing % "OboProxyDown")


def test_the_dashboard_is_one_that_grafana_takes():
    """Its schema's needed members; ids and places of their own; queries by the chosen data source and instance."""
    assert {"uid", "title", "schemaVersion", "time", "templating", "panels"} <= DASHBOARD.keys()
    assert "id" not in DASHBOARD, "Grafana gives one when it is loaded"
    variables = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in panels():
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert 'instance=~"$instance"' in target["expr"]


@pytest.mark.parametrize("kind", ["datasources", "dashboards"])
def test_provisioning(kind: str):
    """What Grafana reads at its start."""
    (file,) = (GRAFANA / "provisioning" / kind).iterdir()
    document = yaml.safe_load(file.read_text())
    assert document["apiVersion"] == 1
    (entry,) = document["datasources" if kind == "datasources" else "providers"]
    assert entry["type"] == ("prometheus" if kind == "datasources" else "file")
