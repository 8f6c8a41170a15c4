"""One answer out of several workers'."""

from __future__ import annotations

import pytest

from proxy.server.workers.merging import add_up, merge_readiness

READY = (200, {"status": "ready", "reasons": []})
DEGRADED = (200, {"status": "degraded", "reasons": ["okta: no keys"]})
UNREADY = (503, {"status": "unready", "reasons": ["okta: no keys"]})


@pytest.mark.parametrize(
    ("answers", "missing", "status", "state", "reasons"),
    [
        ({1: READY, 2: READY}, {}, 200, "ready", []),
        ({1: READY, 2: UNREADY}, {}, 200, "degraded", ["worker 2: okta: no keys"]),
        ({1: DEGRADED}, {2: "is starting"}, 200, "degraded", ["worker 2: is starting", "worker 1: okta: no keys"]),
        ({1: UNREADY}, {}, 503, "unready", ["worker 1: okta: no keys"]),
        ({}, {1: "is starting"}, 503, "unready", ["worker 1: is starting"]),
    ],
    ids=["all", "one", "one starting", "none", "none serving"],
)  # fmt: skip
def test_readiness(answers, missing, status, state, reasons):
    """F-34: one that is ready is enough, and what the others lack is said."""
    assert merge_readiness(answers, missing) == (status, {"status": state, "reasons": reasons})


def test_counts_add_up():
    """Numbers do; what is none is the first worker's."""
    assert add_up([{"purged": 2, "of": "a", "yes": True}, {"purged": 3, "of": "b", "yes": True}]) == {
        "purged": 5,
        "of": "a",
        "yes": True,
    }
