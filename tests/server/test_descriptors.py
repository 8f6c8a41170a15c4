"""File descriptors: as many as there are, and no more connections than they last for."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from proxy.server.descriptors import affordable_connections, raise_limit


def test_connections_are_no_more_than_descriptors_last_for(caplog):
    """F-31: fewer than configured, and it is said; the soft limit is lifted to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (264, hard))
        assert affordable_connections(10_000) == 100
        assert "fewer connections" in caplog.text
        assert affordable_connections(50) == 50
        assert affordable_connections(10_000, each=4) == 50
        raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_running_out_of_descriptors_is_survived(loop):
    """F-31: no crash, no busy loop, no traceback; served again once there are descriptors."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.server.exhausted", loop],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    outcome = json.loads(run.stdout)
    assert outcome["served"] == "HTTP/1.1 200 OK"
    assert outcome["cpu"] < 0.6
    assert "Traceback" not in run.stderr
