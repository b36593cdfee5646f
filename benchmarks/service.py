"""What the service costs beside the bare library, on the same machine and the same files.

Run as ``python benchmarks/service.py [--jobs 200] [--slices 300] [--database postgresql://...]``.

Three questions, each with a bar: many small jobs by two workers against two processes that call
the library (1.15 times the wall time); the upload of a series against writing the same bytes with
fsync (1.5 times); from the last byte sent to the first contour, against the library reading the
same files from the disk (1.3 times).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from measure import report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from service import Service, install_detectors, series, service

from delineate import delineation, formats
from delineate.imaging import Grid, Image
from delineate.plugins import registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse

WORKERS = 2


def ct(slices: int, size: int) -> Image:
    """A CT with a few hundred HU of a ball in noise."""
    axes = np.ogrid[:slices, :size, :size]
    centre = (slices / 2, size / 2, size / 2)
    radii = (slices / 3, size / 4, size / 4)
    inside = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii, strict=True)) < 1
    noise = np.random.default_rng(0).normal(0, 20, (slices, size, size))
    affine = np.array([[0, 0, 0.8, 0], [0, 0.8, 0, 0], [1.5, 0, 0, 0], [0, 0, 0, 1.0]])
    array = (np.where(inside, 300, -800) + noise).astype(np.int16)
    return Image(array, Grid(array.shape, affine), "CT")


def by_library(files: list[Path], folder: Path, host: Host) -> None:
    """One job without a service: read, find, keep."""
    found = delineation.delineate(formats.read(files), host.spec, parse(host.spec, {}), runner=host)
    folder.mkdir(parents=True)
    delineation.save(found, folder)


def library_share(files: list[Path], folder: Path, jobs: int, times: multiprocessing.Queue) -> None:
    with Host(registry.find("test.bright")) as host:
        by_library(files, folder / "warm", host)
        began = time.perf_counter()
        for number in range(jobs):
            by_library(files, folder / str(number), host)
        times.put((began, time.perf_counter()))


def jobs_by_library(files: list[Path], folder: Path, jobs: int) -> float:
    """Wall seconds of that many jobs shared by two processes."""
    context = multiprocessing.get_context("spawn")
    times = context.Queue()
    shares = [
        context.Process(target=library_share, args=(files, folder / str(n), jobs // WORKERS, times))
        for n in range(WORKERS)
    ]
    for one in shares:
        one.start()
    spans = [times.get() for _ in shares]
    for one in shares:
        one.join()
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def jobs_by_service(running: Service, image_id: str, jobs: int) -> float:
    """Wall seconds from the first submission until the last result is there."""
    warm = [running.submit(image_id)["id"] for _ in range(4 * WORKERS)]
    for job_id in warm:
        assert running.wait(job_id)["state"] == "done"
    began = time.perf_counter()
    ids = [running.submit(image_id)["id"] for _ in range(jobs)]
    while any(
        running.client.get("/v1/jobs", params={"state": state, "limit": 1}).json()["jobs"]
        for state in ("queued", "running")
    ):
        time.sleep(0.2)  # who asks takes from the two cores as well
    seconds = time.perf_counter() - began
    assert all(running.job(job_id)["state"] == "done" for job_id in ids)
    return seconds


def written(files: list[Path], folder: Path) -> float:
    """Seconds to write the same bytes, each file and the folder with fsync."""
    contents = [path.read_bytes() for path in files]
    folder.mkdir()
    began = time.perf_counter()
    for number, data in enumerate(contents):
        with (folder / str(number)).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - began


def uploaded(running: Service, files: list[Path]) -> tuple[float, float, str]:
    """Seconds of an upload in all, those after its last byte, and the image's id."""
    boundary = "a-boundary"
    sent = [0.0]

    def body() -> Iterator[bytes]:
        for path in files:
            yield (
                f'--{boundary}\r\nContent-Disposition: form-data; name="files"; '
                f'filename="{path.name}"\r\n\r\n'
            ).encode()
            yield path.read_bytes() + b"\r\n"
        yield f"--{boundary}--\r\n".encode()
        sent[0] = time.perf_counter()

    began = time.perf_counter()
    answer = running.client.post(
        "/v1/images",
        content=body(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    ended = time.perf_counter()
    return ended - began, ended - sent[0], answer.raise_for_status().json()["id"]


def first_contour(running: Service, image_id: str) -> float:
    """Seconds from the submission to the result, followed as the page does."""
    began = time.perf_counter()
    job = running.submit(image_id)
    with running.client.stream("GET", f"/v1/jobs/{job['id']}/events", timeout=600) as events:
        for _ in events.iter_lines():
            pass
    running.client.get(f"/v1/jobs/{job['id']}/result").raise_for_status()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--database", default="")
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        os.environ["PYTHONPATH"] = install_detectors(place / "site")
        sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
        small = series(place / "small", ct(60, 512))
        with service(place / "data", workers=WORKERS, database=asked.database) as running:
            figures["idle /healthz, s"] = statistics.median(
                httpx.get(f"{running.url}/healthz").elapsed.total_seconds() for _ in range(20)
            )
            image_id = running.upload(small).raise_for_status().json()["id"]
            figures["small jobs by the service, s"] = jobs_by_service(running, image_id, asked.jobs)
        figures["small jobs by the library, s"] = jobs_by_library(
            small, place / "library", asked.jobs
        )
        figures |= large(place, asked.slices, asked.repeats, asked.database)
    report(
        "service",
        {"jobs": asked.jobs, "slices": asked.slices, **figures},
        {
            "small jobs, service / library": figures["small jobs by the service, s"]
            / figures["small jobs by the library, s"],
            "upload / writing with fsync": figures["upload, s"] / figures["writing, s"],
            "last byte to contour / library": figures["last byte to first contour, s"]
            / figures["files to first contour by the library, s"],
        },
    )


def large(place: Path, slices: int, repeats: int, database: str) -> dict[str, float]:
    """Upload of a large series, and how long until its contours are there; medians."""
    seconds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        seconds.setdefault(name, []).append(value)

    with (
        service(place / "large", database=database) as running,
        Host(registry.find("test.bright")) as host,
    ):
        for number in range(repeats + 1):
            files = series(place / f"ct{number}", ct(slices, 512), seed=str(number))
            total, after, image_id = uploaded(running, files)
            contour = after + first_contour(running, image_id)
            write = written(files, place / f"written{number}")
            began = time.perf_counter()
            by_library(files, place / f"found{number}", host)
            library = time.perf_counter() - began
            if number:  # the first warms both up
                note("upload, s", total)
                note("upload after its last byte, s", after)
                note("writing, s", write)
                note("last byte to first contour, s", contour)
                note("files to first contour by the library, s", library)
    return {name: statistics.median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
