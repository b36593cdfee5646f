"""Evaluations as jobs: results against references, scored by a process of their own.

An evaluation is a job like any other, so that its state, its queue, its attempts and how long it
is kept need no second way. In place of a detector's id it has ``"evaluation"``, it looks at no
image of its own, and its options are::

    cases       what is scored: name, groups and tables of labels; each side is the id of a job
                ("job"), a path below a shared folder ("file"), or nothing
    rules       how, as delineate.evaluation has it
    report      titles and requirements of a report, or nothing

What scores is ``delineate.evaluation``, which this package does not know: it is started by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from delineate import errors
from delineate.errors import ConflictError, DelineateError, DetectorCrashError, InputError
from delineate.jobs.database import patiently
from delineate.jobs.disk import sync
from delineate.jobs.job import Job
from delineate.jobs.monitor import RowMonitor
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store
from delineate.jobs.table import JobTable

__all__ = ["EVALUATION", "SCORED", "Scorer", "demand_shared"]

EVALUATION = "evaluation"
"""Stands in the row of an evaluation where others have the id of their detector."""

SCORED = "scored.json"
"""What came of each case, in the folder of an evaluation."""

_MODULE = "delineate.evaluation.errand"
_KEPT = "cases"
_SIDES = ("reference", "prediction", "image")
_LOOK_SECONDS = 0.1

Json = Mapping[str, Any]


def demand_shared(path: str, settings: Settings) -> Path:
    """A path below one of the shared folders, as it is written; links are not followed.

    Raises
    ------
    InputError
        If it is none, or there is no shared folder.
    """
    asked = Path(path)
    if not settings.shared_folders:
        raise InputError(
            "this service has no shared folder, so its workers cannot reach your files: name one "
            "in its setting shared_folders that all machines mount alike, or score them here"
        )
    inside = any(asked.is_relative_to(folder) for folder in settings.shared_folders)
    if not asked.is_absolute() or ".." in asked.parts or not inside:
        raise InputError(
            f"expected a path below {' or '.join(settings.shared_folders)}, which the workers can "
            f"reach, got {path[:200]!r}; put the files there, or score them here"
        )
    return asked


class Scorer:
    """What a worker scores with: a process that stays for the next evaluation."""

    def __init__(self, settings: Settings, table: JobTable, store: Store) -> None:
        self._settings, self._table, self._store = settings, table, store
        self._process: subprocess.Popen[str] | None = None
        self._told: SimpleQueue[str] = SimpleQueue()

    def evaluate(self, job: Job, folder: Path, monitor: RowMonitor) -> None:
        """Score what an evaluation names into ``folder``.

        What was scored by an attempt before on this machine is not scored again. After a crash
        each case has a process of its own, so that the one that is to blame fails alone.

        Raises
        ------
        ConflictError, NotFoundError
            If a result is not there, or no longer.
        DetectorCrashError
            If the process that scores dies, or takes longer than a detector may.
        Cancelled
            If somebody asked to stop.
        """
        task = {
            "cases": [self._case(one, job.tenant) for one in job.options["cases"]],
            "rules": job.options["rules"],
            "report": job.options["report"],
            "folder": str(folder),
            "scored": SCORED,
            "kept": str(folder.parent / _KEPT),
            "processes": 2 if job.crashes else 1,
        }
        try:
            self._run(task, monitor)
        except InputError:
            raise
        except BaseException:
            self.close()
            raise
        sync(folder)

    def close(self) -> None:
        """End the process; the next evaluation starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _case(self, one: Json, tenant: str) -> Json:
        def path(side: Json | None) -> str | None:
            if side is None:
                return None
            if "file" in side:
                return str(_inside(demand_shared(side["file"], self._settings), self._settings))
            found = self._table.get(side["job"], tenant=tenant)
            if found.state != "done":
                raise ConflictError(f"job {found.id} has no result to score, it is {found.state}")
            return str(patiently(lambda: self._store.of(tenant).attempt(found)))

        return {**one, **{name: path(one[name]) for name in _SIDES}}

    def _run(self, task: Json, monitor: RowMonitor) -> None:
        """Wait until all is scored."""
        seconds = self._settings.detect_seconds
        deadline = time.monotonic() + seconds
        self._send(task)
        while (line := self._next()) != "":
            monitor.checkpoint()
            if time.monotonic() > deadline:
                raise DetectorCrashError(
                    f"the evaluation took longer than {seconds:g} s and was stopped; give fewer "
                    "cases at a time, or ask who runs this service for more",
                    EVALUATION,
                )
            if line is not None and _ended(json.loads(line), monitor):
                return
        raise DetectorCrashError(
            "the process that scores died, most likely for want of memory; give fewer cases at a "
            "time, or see whether a file is damaged",
            EVALUATION,
        )

    def _send(self, task: Json) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # parsers quote what they read
                start_new_session=True,
                text=True,
            )
            self._told = SimpleQueue()
            threading.Thread(
                target=_listen, args=(self._process, self._told), daemon=True, name="scores"
            ).start()
        assert self._process.stdin is not None
        with suppress(OSError):  # it has died, which is told by the end of what it tells
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()

    def _next(self) -> str | None:
        """The next line, nothing after a while, an empty one at the end."""
        try:
            return self._told.get(timeout=_LOOK_SECONDS)
        except Empty:
            return None


def _listen(process: subprocess.Popen[str], told: SimpleQueue[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        told.put(line)
    process.stdout.close()
    with suppress(OSError):  # what it did not read is lost
        process.stdin.close()
    told.put("")


def _ended(told: Json, monitor: RowMonitor) -> bool:
    if "error" in told:
        kind = getattr(errors, told["error"]["name"], DelineateError)
        raise kind(told["error"]["message"])
    if "done" in told:
        monitor.progress(told["done"] / max(1, told["of"]), "scoring")
    return "ended" in told


def _inside(path: Path, settings: Settings) -> Path:
    """The same if its links lead nowhere else; it may be missing, the shared folder may not."""
    (folder, *_) = (one for one in settings.shared_folders if path.is_relative_to(one))
    if not Path(folder).is_dir():
        raise DelineateError(f"this worker lacks the shared folder {folder}; mount it there")
    folders = [Path(folder).resolve() for folder in settings.shared_folders]
    if not any(path.resolve().is_relative_to(folder) for folder in folders):
        raise InputError(f"{path.name} is a link that leads out of the shared folders")
    return path
