"""A warm process of its own for each detector: what kills it costs one run and nothing else."""

from __future__ import annotations

import tempfile
import threading
import time
import weakref
from contextlib import ExitStack
from types import TracebackType
from typing import IO, Self

import numpy as np

from delineate import errors
from delineate.errors import (
    BadDetectionError,
    Cancelled,
    DelineateError,
    DetectorCrashError,
    DetectorError,
    PluginLoadError,
)
from delineate.imaging import Image
from delineate.plugins.contract import DetectorSpec, Monitor, Options
from delineate.plugins.outputs import Detection
from delineate.plugins.process import Child
from delineate.plugins.reference import referenced
from delineate.plugins.samples import write_image
from delineate.plugins.verify import verify
from delineate.plugins.wire import Json, unpack_detection

__all__ = ["Host"]

_ASK_SECONDS = 0.7  # how long a cancelled detector may take to stop by itself


class Host:
    """Runs one detector in a process that stays warm between runs.

    Samples travel through nameless files that both sides map, messages through a socket of their
    own; what the detector prints is read and forgotten but for its end. The child gets the
    samples and the grid, never the image's source: no file header reaches a plugin. It dies with
    this process (on Linux even by kill -9). POSIX only.

    Parameters
    ----------
    spec
        Which detector.
    time_limit
        Seconds that a run may take, loading included; ``None`` for any.
    memory_limit_mb
        What the process may allocate; ``None`` for any.

    Notes
    -----
    May be shared between threads; runs take turns. One that is forgotten without ``close`` ends
    its process when it is collected or when Python exits.
    """

    def __init__(
        self,
        spec: DetectorSpec,
        time_limit: float | None = None,
        memory_limit_mb: int | None = None,
    ) -> None:
        self.spec = spec
        self._time_limit = time_limit
        self._memory_limit_mb = memory_limit_mb
        self._turn = threading.Lock()
        self._child: Child | None = None
        self._forgotten: weakref.finalize[[], Host] | None = None
        self._runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; ``None`` while there is none."""
        child = self._child
        return child.process.pid if child is not None else None

    def close(self) -> None:
        """End the child, with whatever it has started; the next run starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
        if self._forgotten is not None:
            self._forgotten.detach()

    def run(self, image: Image, options: Options, monitor: Monitor | None = None) -> Detection:
        """Run the detector and verify what it returns.

        Raises
        ------
        DetectorCrashError
            If the process died or exceeded a limit; says how, with the end of what it printed.
        Cancelled
            If ``monitor`` said so; within two seconds, whatever the detector does.
        DetectorError
            If the detector raised or returned what it must not; its traceback is a note.
        """
        with self._turn:
            try:
                detection = self._run(image, options, monitor or Monitor())
            except _AnsweredError as answer:  # the child is ready for the next run
                raise answer.error from None
            except BaseException:
                self.close()
                raise
        verify(detection, self.spec, image)
        return detection

    def _run(self, image: Image, options: Options, monitor: Monitor) -> Detection:
        deadline = None if self._time_limit is None else time.monotonic() + self._time_limit
        if self._child is not None and not self._child.alive:
            self.close()
        with ExitStack() as files, tempfile.TemporaryFile() as result:

            def written(one: Image) -> tuple[Json, IO[bytes]]:
                samples = files.enter_context(tempfile.TemporaryFile())
                return write_image(samples, one), samples

            form, samples = written(image)
            references = {name: written(one.image) for name, one in referenced(options).items()}
            if self._child is None:
                self._child = Child(self.spec, self._memory_limit_mb)
                self._forgotten = weakref.finalize(self, self._child.kill)
                self._answer(self._child, None, monitor, deadline)
            self._runs += 1
            request = {
                "type": "run",
                "run": self._runs,
                "image": form,
                "options": options.model_dump(mode="json"),
                "references": {name: form for name, (form, _) in references.items()},
            }
            others = [file.fileno() for _, file in references.values()]
            self._child.send(request, (samples.fileno(), result.fileno(), *others))
            answer = self._answer(self._child, self._runs, monitor, deadline)
            try:
                return _received(answer, result)
            except (ValueError, TypeError, KeyError) as error:
                raise BadDetectionError(
                    f"what detector {self.spec.id} returned did not survive the way out of its "
                    f"process: {error}",
                    self.spec.id,
                ) from error

    def _answer(
        self, child: Child, run: int | None, monitor: Monitor, deadline: float | None
    ) -> Json:
        """Wait for the end of a run, or of loading (``None``); pass on progress and cancelling."""
        wanted = "ready" if run is None else "done"
        stop_by: float | None = None
        while True:
            message = child.receive()
            now = time.monotonic()
            if message is not None and message["type"] == "progress":
                if stop_by is None:
                    monitor.progress(message["fraction"], message["stage"])
            elif message is not None:
                if stop_by is not None:
                    raise _AnsweredError(Cancelled("cancelled"))
                if message["type"] == "failed":
                    raise self._failed(message, wanted)
                if message["type"] == wanted:
                    return message
                raise child.crashed(f"sent {message['type']!r} where {wanted!r} was due")
            if stop_by is None and monitor.cancelled:
                if run is None:
                    raise Cancelled("cancelled")  # nobody can ask a detector that is loading
                stop_by = now + _ASK_SECONDS
                child.send({"type": "cancel", "run": run})
            if stop_by is not None and now >= stop_by:
                raise Cancelled("cancelled")
            if deadline is not None and now >= deadline:
                raise child.crashed(f"was stopped after its time limit of {self._time_limit:g} s")

    def _failed(self, message: Json, wanted: str) -> BaseException:
        text = message["message"]
        if message["out_of_memory"]:
            limit = self._memory_limit_mb
            within = f" (its limit is {limit} MB)" if limit is not None else ""
            return DetectorCrashError(
                f"detector {self.spec.id} ran out of memory{within}: {text}", self.spec.id
            )
        kind = getattr(errors, message["error"], None) if message["error"] else None
        error: DelineateError
        if isinstance(kind, type) and issubclass(kind, DetectorError):
            error = kind(text, self.spec.id)
        elif isinstance(kind, type) and issubclass(kind, DelineateError):
            try:
                error = kind(text)
            except TypeError:
                error = DetectorError(text, self.spec.id)
        elif wanted == "ready":
            error = PluginLoadError(f"detector {self.spec.id} {text} while loading", self.spec.id)
        else:
            error = DetectorError(f"detector {self.spec.id} {text}", self.spec.id)
        if message["traceback"]:
            error.add_note(f"in the detector's process:\n{message['traceback']}")
        return error if wanted == "ready" else _AnsweredError(error)


class _AnsweredError(Exception):
    """The child has answered by an error; it is still in step."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


def _received(answer: Json, result: IO[bytes]) -> Detection:
    form, array = answer["array"], None
    if form is not None:
        shape = tuple(int(size) for size in form["shape"])
        result.seek(0)
        # Read, not mapped: whatever happens to the file later is nothing to us.
        array = np.fromfile(result, np.dtype(form["dtype"]), int(np.prod(shape))).reshape(shape)
    return unpack_detection(answer["detection"], array)
