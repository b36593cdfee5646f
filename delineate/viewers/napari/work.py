"""Runs of a detector that tell how far they are and can be stopped."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from delineate.imaging import Image
from delineate.plugins.contract import Monitor

if TYPE_CHECKING:
    from delineate.delineation import Delineation

__all__ = ["Told", "here", "there"]

_LOOK_SECONDS = 0.1


class Told(Monitor):
    """Keeps the latest progress, and whether to stop, for another thread to look at."""

    def __init__(self) -> None:
        self.latest: tuple[float, str] = (0.0, "starting")
        self._stop = Event()

    def progress(self, fraction: float, stage: str = "") -> None:
        """See `Monitor`."""
        self.latest = fraction, stage

    def stop(self) -> None:
        """Have the run end with `Cancelled`."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """See `Monitor`."""
        return self._stop.is_set()


Steps = Generator[tuple[float, str], None, "Delineation"]


def here(image: Image, detector: str, options: Mapping[str, Any], monitor: Told) -> Steps:
    """Run a detector in a process of its own; yields progress, returns what was found."""

    def run() -> Delineation:
        from delineate.delineation import delineate
        from delineate.plugins import registry
        from delineate.plugins.host import Host

        spec = registry.find(detector)
        with Host(spec) as host:
            return delineate(image, spec, options, monitor, host)

    return _followed(run, monitor)


def there(
    image: Image,
    detector: str,
    options: Mapping[str, Any],
    monitor: Told,
    url: str,
    key: str | None = None,
) -> Steps:
    """Run a detector on a server; yields progress, returns what was found on this image.

    The samples travel as a NIfTI (a photograph as a PNG): no name and no date of a patient.
    """

    def run() -> Delineation:
        from delineate.client import Client

        with tempfile.TemporaryDirectory() as scratch, Client(url, key, monitor=monitor) as server:
            sent = server.upload(_written(image, Path(scratch)))
            named = {
                name: server.upload(_written(value, Path(scratch) / name))
                if isinstance(value, Image)
                else value
                for name, value in options.items()
            }
            job = server.run(sent, detector, named, modality=image.modality)
            try:
                for state in job.follow():
                    monitor.progress(state.progress, state.stage or state.state)
                    monitor.checkpoint()
            except BaseException:
                job.cancel()
                raise
            return replace(job.delineation(), image=image)

    return _followed(run, monitor)


def _written(image: Image, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if image.modality == "photo":
        from PIL import Image as Picture

        path = folder / "image.png"
        Picture.fromarray(image.array[0]).save(path)
        return path
    from delineate.formats.nifti_writing import write_image

    path = folder / "image.nii.gz"
    write_image(image, path)
    return path


def _followed(run: Callable[[], Delineation], monitor: Told) -> Steps:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run)
        try:
            while not future.done():
                yield monitor.latest
                time.sleep(_LOOK_SECONDS)
        except GeneratorExit:
            monitor.stop()
            raise
        return future.result()
