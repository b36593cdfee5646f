"""Hostile archives, and more uploads than are good for a service."""

from __future__ import annotations

from pathlib import Path

from campaigns import flood, hostile
from service import Service


def test_no_archive_does_harm(running: Service) -> None:
    outcome = hostile.campaign(running)

    assert outcome.faults == []
    assert len(outcome.answers) == 2 * 17
    # Two seconds each on a machine that does nothing else; here others run beside.
    assert sorted(seconds for _, seconds in outcome.answers.values())[len(outcome.answers) // 2] < 2


def test_many_uploads_large_slow_and_aborted_cost_little_memory_and_hold_up_nobody(
    running: Service, tmp_path: Path
) -> None:
    outcome = flood.campaign(running, tmp_path, mib=96, at_once=16, slow=16, aborted=30)

    assert dict(outcome.statuses) == {"POST 422": 1, "PUT 201": 1, "at once 201": 16}
    assert outcome.most_mib < outcome.idle_mib + 64
    assert outcome.health_p99_seconds < 2
    assert (outcome.left_behind, outcome.health_asked > 5) == (0, True)
    assert outcome.descriptors_more <= 4
