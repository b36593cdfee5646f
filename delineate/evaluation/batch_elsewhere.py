"""Find things in many images on the workers of a delineate service, and keep every result here."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from delineate.client import Client, RemoteImage, RemoteJob
from delineate.errors import AccessError, Cancelled, DelineateError, DetectorError, RemoteError
from delineate.evaluation.batch import RESULTS, Failure, keep_result

__all__ = ["segment_there"]

_AHEAD = 2
_LOOK_SECONDS = 0.3


def segment_there(
    service: Client,
    images: Mapping[str, Path],
    detector: str,
    folder: Path | str,
    *,
    options: Mapping[str, Any] | None = None,
    export: Sequence[str] = (),
    queue: str = "default",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Failure]:
    """As :func:`~delineate.evaluation.batch.segment`, an image a job of a service.

    Images are sent there, a few more than it has workers at a time. What the service has found
    before in the same image, with the same detector and options, is fetched again, not found
    again. An interruption cancels the jobs that have not ended.

    Parameters
    ----------
    service
        Where.
    images, folder, export, progress
        As for `segment`.
    detector, options
        Of those that are installed there; an option that names an image takes a `RemoteImage`.
    queue
        Which workers do it.
    """
    version = {one["id"]: one["version"] for one in service.detectors()}.get(detector, "")
    ahead = _AHEAD * max(1, int(service.health()["workers"]))
    results, failures = Path(folder) / RESULTS, list[Failure]()
    results.mkdir(parents=True, exist_ok=True)
    left, waiting = deque(images.items()), dict[str, RemoteJob]()

    def failed(case: str, error: Exception) -> None:
        text = str(error).replace(str(images[case]), images[case].name)
        failures.append(Failure(case, text, isinstance(error, DetectorError)))

    progress(0, len(images))
    try:
        while left or waiting:
            while left and len(waiting) < ahead:
                case, path = left.popleft()
                try:
                    image = service.upload(path)
                    waiting[case] = _job(service, image, detector, version, options or {}, queue)
                except (DelineateError, OSError) as error:
                    _demand_going_on(error)
                    failed(case, error)
            ended = [case for case, job in waiting.items() if job.state().ended]
            for case in ended:
                try:
                    keep_result(waiting.pop(case).delineation(), export, results / case)
                except (DelineateError, OSError) as error:
                    _demand_going_on(error)
                    failed(case, error)
            progress(len(images) - len(left) - len(waiting), len(images))
            if waiting and not ended:
                service.session.pause(_LOOK_SECONDS)
    finally:
        for job in waiting.values():
            with suppress(DelineateError):
                job.cancel()
    order = list(images)
    return sorted(failures, key=lambda one: order.index(one.case))


def _job(
    service: Client,
    image: RemoteImage,
    detector: str,
    version: str,
    options: Mapping[str, Any],
    queue: str,
) -> RemoteJob:
    """The job for an image: that of a run before, if it has not failed."""
    told = {n: one.id if isinstance(one, RemoteImage) else one for n, one in options.items()}
    content = json.dumps([image.id, detector, version, told, queue], sort_keys=True)
    key = f"batch:{hashlib.sha256(content.encode()).hexdigest()}"
    job = service.run(image, detector, options, queue=queue, key=key)
    while job.document["state"] in ("failed", "cancelled"):
        job = job.retry()
    return job


def _demand_going_on(error: Exception) -> None:
    """Raise what concerns all images."""
    if isinstance(error, Cancelled | AccessError | RemoteError):
        raise error
