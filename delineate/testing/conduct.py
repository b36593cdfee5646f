"""Laws of how a detector behaves: odd images, large ones, progress, cancelling, memory."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest import SkipTest

import numpy as np

from delineate.delineation import delineate
from delineate.delineation.fit import prepare
from delineate.errors import Cancelled, UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.plugins import Detection, Monitor, MonitoredDetector, Options
from delineate.plugins.host import Host
from delineate.plugins.registry import load
from delineate.plugins.runner import Runner
from delineate.testing.moves import enlarged
from delineate.testing.subject import Subject, hold

__all__ = ["ConductLaws"]

_PATIENCE_SECONDS = 2.0
_BUSY_SECONDS = 0.2  # after which a detector that still runs is asked to stop


class ConductLaws(Subject):
    """It bears any image of its kind, tells how far it is, stops, and keeps to its memory."""

    def test_it_survives_a_blank_image(self) -> None:
        """To mend: mind what divides by a range, a deviation or a count that may be zero. Nothing
        found is a result; an image that makes no sense is an ``UnsuitableImageError``.
        """
        image = self.sample()
        for value in (image.array.min(), image.array.max()):
            with contextlib.suppress(UnsuitableImageError):  # a refusal is an answer
                self.find(replace(image, array=np.full_like(image.array, value)))

    def test_it_survives_an_image_of_one_sample(self) -> None:
        """To mend: mind windows and strides larger than the image, or declare ``min_size``."""
        image = self.sample()
        grid = Grid((1, 1, 1), image.grid.affine, image.grid.unit)
        with contextlib.suppress(UnsuitableImageError):
            self.find(replace(image, array=image.array[:1, :1, :1], grid=grid))

    def test_its_progress_stays_between_0_and_1_and_never_falls(self) -> None:
        """To mend: tell the share that is done of all there is to do, from 0 to 1; give a part of
        the work that reports by itself ``monitor.part(start, stop)``.
        """
        runs: list[_Told] = []

        def listen() -> Monitor:
            runs.append(_Told())
            return runs[-1]

        watched = _Watched(self.runner(self.spec), listen)
        delineate(self.sample(), self.spec, self.options, runner=watched)

        for run in runs:
            stray = [share for share in run.shares if not 0 <= share <= 1]
            hold(not stray, f"progress leaves 0 to 1: {stray[:3]}")
            for before, after in pairwise(run.shares):
                hold(before <= after, f"progress falls from {before:.3g} to {after:.3g}")

    def test_it_stops_when_it_is_asked_to(self) -> None:
        """To mend: call ``monitor.checkpoint()`` at least twice a second, and let the ``Cancelled``
        that it raises pass (``except Exception`` holds it up).
        """
        trouble = self._stopped_badly() and self._stopped_badly()  # a busy machine is no failure
        hold(not trouble, trouble)

    def test_its_memory_stays_within_its_estimate(self) -> None:
        """To mend: raise ``memory_mb`` (what it needs for any image, packages included) or
        ``memory_bytes_per_sample`` (what it needs for each sample), or need less: float32, parts.
        """
        if not sys.platform.startswith("linux"):
            raise SkipTest("a process's peak is read from /proc, which only Linux has")
        large = self.large()
        prepared = prepare(large, self.spec.wants)
        with Host(self.spec) as host:
            try:
                delineate(large, self.spec, self.options, runner=host)
            except UnsuitableImageError as error:
                raise SkipTest(f"it refuses a large image: {error}") from None
            used = _peak_mb(host.pid)
        shape = prepared.grid.shape
        estimate = self.spec.memory_needed_mb(shape)
        given = math.ceil(prepared.array.nbytes / (1 << 20))
        hold(
            used <= estimate + given,
            f"it takes {used} MB for {shape}; its estimate is {estimate} MB above the {given} MB "
            "of the image",
        )

    def _stopped_badly(self) -> str:
        """What was wrong with the way it stopped; empty if nothing was."""
        spec, asking = self.spec, _Asking()
        with Host(spec) as host:
            delineate(self.sample(), spec, self.options, runner=host)  # loaded from here on
            process, watched = host.pid, _Watched(host, asking.begin)
            try:
                delineate(self.large(), spec, self.options, asking, watched)
            except UnsuitableImageError as error:
                raise SkipTest(f"it refuses a large image: {error}") from None
            except Cancelled:
                took = time.monotonic() - asking.asked
                if took > _PATIENCE_SECONDS:
                    return f"it stops {took:.1f} s after it was asked to"
                ended = host.pid != process
                if ended and spec.interpreter is None and isinstance(load(spec), MonitoredDetector):
                    return "it has to be ended, for it does not stop by itself"
        return ""

    def large(self) -> Image:
        """The sample again and again, of about ``large_samples`` samples."""
        image = self.sample()
        shape = list(image.grid.shape)
        axes = [axis for axis, size in enumerate(shape) if size > 1]
        factor = (self.large_samples / math.prod(shape)) ** (1 / max(1, len(axes)))
        most = self.spec.wants.max_size or (sys.maxsize,) * 3
        for axis in axes:
            shape[axis] = max(shape[axis], min(most[axis], round(shape[axis] * factor)))
        return enlarged(image, (shape[0], shape[1], shape[2]))


class _Watched:
    """Runs a detector with a monitor of the test's own."""

    def __init__(self, inner: Runner, monitor: Callable[[], Monitor]) -> None:
        self.spec = inner.spec
        self._inner, self._monitor = inner, monitor

    def run(self, image: Image, options: Options, monitor: Monitor) -> Detection:
        return self._inner.run(image, options, self._monitor())


class _Told(Monitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def progress(self, fraction: float, stage: str = "") -> None:
        self.shares.append(fraction)


class _Asking(Monitor):
    """Asks to stop a moment after the first run began."""

    def __init__(self) -> None:
        self.asked = math.inf

    def begin(self) -> Monitor:
        self.asked = min(self.asked, time.monotonic() + _BUSY_SECONDS)
        return self

    @property
    def cancelled(self) -> bool:
        return time.monotonic() >= self.asked


def _peak_mb(process: int | None) -> int:
    """Most memory that a process has had at once, shared libraries included."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) // 1024
