"""One answer out of the workers' answers: their readiness and counts added up (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def merge_readiness(
    answers: Mapping[int, tuple[int, Mapping[str, Any]]], missing: Mapping[int, str]
) -> tuple[int, dict[str, Any]]:
    """Ready with one worker that is; what keeps the others is said of each, as is why ``missing`` gave no answer."""
    reasons = [f"worker {number}: {reason}" for number, reason in sorted(missing.items())]
    for number, (_, answer) in sorted(answers.items()):
        reasons += [f"worker {number}: {reason}" for reason in answer.get("reasons", ())]
    if not any(status == 200 for status, _ in answers.values()):
        return 503, {"status": "unready", "reasons": reasons}
    return 200, {"status": "degraded" if reasons else "ready", "reasons": reasons}


def add_up(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers by name added up; of anything else, the first."""
    total: dict[str, Any] = {}
    for answer in answers:
        for name, value in answer.items():
            if isinstance(value, int) and not isinstance(value, bool):
                total[name] = total.get(name, 0) + value
            else:
                total.setdefault(name, value)
    return total
