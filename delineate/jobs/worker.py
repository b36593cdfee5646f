"""The worker process: takes a job, reads its image, runs the detector, keeps the result."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from delineate import delineation
from delineate.errors import (
    Cancelled,
    DelineateError,
    DetectorCrashError,
    InputError,
    NotFoundError,
    StorageFullError,
    UnavailableError,
)
from delineate.imaging import Image
from delineate.jobs import corrections, dicom_results, engine, kept, metrics, scoring
from delineate.jobs.database import patiently
from delineate.jobs.lifeline import die_with
from delineate.jobs.liveness import Presence
from delineate.jobs.log import configure, log
from delineate.jobs.monitor import RowMonitor
from delineate.jobs.reading import read_stored
from delineate.jobs.reaper import Reaper
from delineate.jobs.retention import Retention
from delineate.jobs.settings import Settings
from delineate.jobs.store import Store, StoredImage, room
from delineate.jobs.table import Job, JobTable
from delineate.plugins import registry
from delineate.plugins.contract import DetectorSpec
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.reference import resolved

__all__ = ["Worker", "main"]

_WARM = 3


class Worker:
    """Does jobs, one at a time, with a warm process for each detector used lately."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        table: JobTable,
        store: Store,
        on_done: Callable[[Job], None],
    ) -> None:
        self._name, self._on_done = name, on_done
        self._settings, self._table, self._store = settings, table, store
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._scorer = scoring.Scorer(settings, table, store)

    def take(self, turn: str, queue: str) -> None:
        """Spend a turn: do jobs of the queue until none waits.

        Whatever comes of them stands in the job table, also that they failed. Raises only if the
        table cannot be written.
        """
        while (job := patiently(lambda: self._begin(turn, queue))) is not None:
            began = time.monotonic()
            error = self._attempt(job)
            seconds, kind = time.monotonic() - began, type(error).__name__ if error else None
            facts = {"job": job.id, "detector": job.detector, "attempt": job.attempts}
            log.info("attempt ended", **facts, error=kind, seconds=round(seconds, 3))
            metrics.attempt(job.detector, kind or "done", seconds)
            metrics.memory(self._name)
            if isinstance(error, DetectorCrashError):
                self._crashed(job, error)
            if patiently(lambda j=job: self._table.overtaken(j)):  # type: ignore[misc]
                return  # the turn is another worker's by now

    def _begin(self, turn: str, queue: str) -> Job | None:
        return self._table.begin(
            turn,
            queue,
            worker=self._name,
            warm=tuple(self._hosts),
            max_attempts=self._settings.max_attempts,
        )

    def _crashed(self, job: Job, error: DetectorCrashError) -> None:
        """Count a crash; too many end the job."""
        crashes = patiently(lambda: self._table.crashed(job, error))
        if crashes is not None and crashes >= self._settings.max_crashes:
            patiently(lambda: self._table.finish(job, "failed", error, dead=True))

    def close(self) -> None:
        """End the detectors' processes."""
        while self._hosts:
            self._hosts.popitem()[1].close()
        self._scorer.close()

    def _attempt(self, job: Job) -> Exception | None:
        """Try once; what went wrong. A crash is left to the caller to write down."""
        error: Exception | None
        try:
            self._store.check_room()
            self._detect(job)
        except DetectorCrashError as crash:
            return crash
        except Cancelled as cancelled:
            self._end(job, "cancelled", None)
            return cancelled
        except DelineateError as expected:
            error = expected
        except MemoryError:
            error = DelineateError("there is not enough memory for this image")
        except Exception as unexpected:
            name, where = type(unexpected).__name__, _where(unexpected)
            log.error("attempt broke", job=job.id, error=name, where=where)
            error = DelineateError(f"an unexpected {name} at {where}; please report it")
        else:
            if self._end(job, "done", None):
                self._follow_up(job)
            return None
        self._end(job, "failed", error)
        return error

    def _follow_up(self, job: Job) -> None:
        """What a result entails; it is one already, whatever comes of this."""
        labels = partial(corrections.drop_labels, table=self._table, store=self._store)
        offer = self._on_done if job.image_id else lambda _: None
        for work in (self._store.of(job.tenant).drop_others, offer, labels):
            try:
                work(job)
            except Exception as error:
                log.warning("not followed up", job=job.id, error=type(error).__name__)

    def _detect(self, job: Job) -> None:
        folder = self._store.of(job.tenant).attempt(job)
        shutil.rmtree(folder, ignore_errors=True)
        with RowMonitor(self._table, job) as monitor:
            monitor.progress(0.0, "reading")
            if job.detector == scoring.EVALUATION:
                with room():
                    self._scorer.evaluate(job, folder, monitor)
            else:
                found = self._found(job, monitor)
                monitor.progress(1.0, "saving")
                with room():
                    kept.write(found, folder)
            monitor.checkpoint()
            patiently(lambda: self._store.of(job.tenant).publish(job))

    def _found(self, job: Job, monitor: RowMonitor) -> delineation.Delineation:
        """What a detector finds, or what somebody has corrected."""
        if job.detector == corrections.CORRECTION:
            return corrections.redone(job, self._image(job), self._table, self._store, monitor)
        spec = registry.find(job.detector)
        options = parse(spec, job.options)
        image = self._image(job)
        options = resolved(options, lambda name: self._sole_image(job.tenant, name))
        monitor.checkpoint()
        return delineation.delineate(image, spec, options, monitor=monitor, runner=self._host(spec))

    def _image(self, job: Job) -> Image:
        stored = self._stored(job.tenant, job.image_id)
        reading = {**stored.reading, "modality": job.modality}
        return read_stored(stored.files, job.series, reading)

    def _stored(self, tenant: str, image_id: str) -> StoredImage:
        return patiently(lambda: self._store.of(tenant).image(image_id))

    def _sole_image(self, tenant: str, image_id: str) -> Image:
        """An uploaded image that an option names: its only usable series."""
        stored = self._stored(tenant, image_id)
        return read_stored(stored.files, stored.series(None)["id"], stored.reading)

    def _end(self, job: Job, state: str, error: Exception | None) -> bool:
        dead = error is not None and _blameless(error)
        ended = patiently(lambda: self._table.finish(job, state, error, dead=dead))  # type: ignore[arg-type]
        if state != "done" or not ended:
            with suppress(UnavailableError):  # nobody asks for it
                self._store.of(job.tenant).drop(job)
        return ended

    def _host(self, spec: DetectorSpec) -> Host:
        if spec.id not in self._hosts:
            self._hosts[spec.id] = Host(
                spec, self._settings.detect_seconds, self._settings.detect_memory_mb
            )
        self._hosts.move_to_end(spec.id)
        while len(self._hosts) > _WARM:
            self._hosts.popitem(last=False)[1].close()
        return self._hosts[spec.id]


def _take_or_end(worker: Worker, turn: str, queue: str) -> None:
    """Spend a turn; a worker that cannot even say how a job ended is started anew."""
    try:
        worker.take(turn, queue)
    except BaseException as error:
        log.error("worker gives up", error=type(error).__name__, where=_where(error))
        os._exit(1)


def _blameless(error: Exception) -> bool:
    """Whether a job failed through no fault of its input, and is worth another try some day."""
    its_own = isinstance(error, InputError | NotFoundError)
    return isinstance(error, StorageFullError) or not its_own


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def main(name: str, queue: str, parent: int) -> None:
    """Run a worker of a queue until it is told to stop.

    Stopping is like dying: the job in hand stays open and is taken up again by the next worker.
    """
    die_with(parent)
    settings = Settings.from_environment()
    configure(name, settings.quiet)
    database = engine.prepare(settings)
    presence = Presence(settings, database)
    with presence.hold(name, queue):
        table, store = JobTable(database), Store(settings)
        register = partial(dicom_results.register, settings, database, store)
        worker = Worker(name, settings, table, store, on_done=register)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        engine.launch(settings, database, name, queue, partial(_take_or_end, worker))
        Reaper(presence, table, engine.DurableQueue(database), name).start()
        Retention(settings, database, store).start()
        log.info("ready", worker=name, pid=os.getpid())
        gc.freeze()  # what is imported stays: looking through it for garbage takes a tenth of a job
        stop.wait()
        worker.close()
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
