"""The process that a worker scores with: what it may read, and what its death costs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from folders import DICE, pairs
from service import children

from delineate.errors import DelineateError, DetectorCrashError, InputError
from delineate.jobs.job import Job
from delineate.jobs.monitor import RowMonitor
from delineate.jobs.scoring import SCORED, Scorer
from delineate.jobs.settings import Settings


class _Watching:
    """Stands in for the row of a job; may kill what scores."""

    def __init__(self, kills: bool = False) -> None:
        self._kills = kills
        self._others = set(children(os.getpid()))  # a browser's, say: they live on
        self.told: list[float] = []

    def checkpoint(self) -> None:
        if self._kills:
            for pid in set(children(os.getpid())) - self._others:
                os.kill(pid, signal.SIGKILL)

    def progress(self, fraction: float, stage: str = "") -> None:
        self.told.append(fraction)


@pytest.fixture
def scorer(tmp_path: Path) -> Iterator[Scorer]:
    settings = Settings(data=tmp_path / "data", shared_folders=(str(tmp_path / "shared"),))
    one = Scorer(settings, cast(Any, None), cast(Any, None))
    yield one
    one.close()


def _job(reference: Path, prediction: Path | None = None, crashes: int = 0) -> Job:
    sides = {"reference": {"file": str(reference)}, "image": None}
    sides["prediction"] = None if prediction is None else {"file": str(prediction)}
    tables = {"prediction_table": None, "reference_table": None}
    case = {"name": "c1", **sides, **tables, "groups": {}}
    options = {"cases": [case], "rules": DICE.to_json(), "report": None}
    fields = {"tenant": "local", "options": options, "crashes": crashes}
    return Job(**{**dict.fromkeys(Job.__slots__), **fields})


def _evaluate(scorer: Scorer, job: Job, folder: Path, watching: _Watching) -> None:
    scorer.evaluate(job, folder, cast(RowMonitor, watching))


def test_a_process_that_dies_is_a_crash_and_the_next_evaluation_has_another(
    scorer: Scorer, tmp_path: Path
) -> None:
    prediction, reference = pairs(tmp_path / "shared", 2)
    job = _job(reference / "c1.nii.gz", prediction / "c1.nii.gz")

    with pytest.raises(DetectorCrashError, match="the process that scores died"):
        _evaluate(scorer, job, tmp_path / "1", _Watching(kills=True))
    watching = _Watching()
    _evaluate(scorer, job, tmp_path / "2", watching)

    (found,) = json.loads((tmp_path / "2" / SCORED).read_text())
    assert found["scores"][0][:3] == ["liver", "dice", 0.75]
    assert watching.told[-1] == 1.0
    assert not (tmp_path / "1" / SCORED).exists()


def test_nothing_outside_the_shared_folders_is_read(scorer: Scorer, tmp_path: Path) -> None:
    _, reference = pairs(tmp_path / "elsewhere", 1)
    with pytest.raises(DelineateError, match="this worker lacks the shared folder"):
        _evaluate(scorer, _job(tmp_path / "shared" / "a.nii.gz"), tmp_path / "1", _Watching())
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "link").symlink_to(reference)

    with pytest.raises(InputError, match="expected a path below"):
        _evaluate(scorer, _job(reference / "c0.nii.gz"), tmp_path / "1", _Watching())
    job = _job(tmp_path / "shared" / "link" / "c0.nii.gz")
    with pytest.raises(InputError, match="a link that leads out"):
        _evaluate(scorer, job, tmp_path / "1", _Watching())
