"""A real service for tests: its processes, its disk, a client, small images to send."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest

from delineate.formats import dicom
from delineate.imaging import Grid, Image
from delineate.jobs import Settings
from delineate.jobs.supervisor import Supervisor

T = TypeVar("T")

DETECTORS = ("bright", "crash", "leave", "stuck", "noisy", "careful", "hungry", "changed")


def install_detectors(folder: Path) -> str:
    """Install the odd detectors as a distribution; what PYTHONPATH has to be then."""
    info = folder / "odd_detectors-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-detectors\nVersion: 1.0\n")
    points = "".join(f"test-{name} = odd_detectors:{name}\n" for name in DETECTORS)
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{points}")
    places = [str(folder), str(Path(__file__).parent / "jobs"), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(place for place in places if place)


@pytest.fixture(scope="session")
def odd_detectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Have the odd detectors installed for processes started from now on."""
    before = os.environ.get("PYTHONPATH")
    folder = tmp_path_factory.mktemp("site")
    os.environ["PYTHONPATH"] = install_detectors(folder)
    yield folder
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def ct(slices: int = 6, size: int = 24, bright: int = 60, modality: str = "CT") -> Image:
    """A CT with a cube of 300 HU, which has ``bright`` samples."""
    array = np.full((slices, size, size), -1000, np.int16)
    array[2:4, 4:14, 4:7] = 300
    assert (array == 300).sum() == bright
    affine = np.array(
        [[0.0, 0.0, 0.8, -10.0], [0.0, 0.8, 0.0, -20.0], [3.0, 0.0, 0.0, 5.0], [0, 0, 0, 1.0]]
    )
    return Image(array, Grid(array.shape, affine), modality)


def series(folder: Path, image: Image | None = None, seed: str | None = None) -> list[Path]:
    """Write a CT as DICOM."""
    return list(dicom.write_series(image or ct(), folder, seed=seed))


def zipped(files: Sequence[Path], names: Sequence[str] | None = None) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, path in enumerate(files):
            archive.writestr(names[number] if names else f"a/b/{path.name}", path.read_bytes())
    return packed.getvalue()


class Service:
    """A running service."""

    def __init__(self, supervisor: Supervisor, settings: Settings) -> None:
        self._supervisor = supervisor
        self.settings = settings
        self.url = supervisor.url
        self.client = httpx.Client(base_url=self.url, timeout=120)

    @property
    def home(self) -> Path:
        """Folder of the local tenant."""
        return self.settings.data / "tenants" / "local"

    def pid(self, name: str) -> int:
        return self._supervisor.pids()[name]

    def upload(self, files: Sequence[Path]) -> httpx.Response:
        parts = [("files", (path.name, path.read_bytes())) for path in files]
        return self.client.post("/v1/images", files=parts)

    def send(self, body: bytes, name: str = "upload") -> httpx.Response:
        return self.client.post("/v1/images", params={"name": name}, content=body)

    def submit(self, image_id: str, detector: str = "test.bright", **more: Any) -> dict[str, Any]:
        asked = {"image_id": image_id, "detector": detector, **more}
        response = self.client.post("/v1/jobs", json=asked)
        assert response.status_code == 202, response.text
        job: dict[str, Any] = response.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return job

    def wait(self, job_id: str, *states: str, seconds: float = 120.0) -> dict[str, Any]:
        wanted = states or ("done", "failed", "cancelled")
        return until(lambda: job if (job := self.job(job_id))["state"] in wanted else None, seconds)

    def bright_samples(self, job_id: str) -> float:
        """How much a job found, in samples."""
        document = self.client.get(f"/v1/jobs/{job_id}/result").raise_for_status().json()
        millilitres = document["findings"][0]["measurements"]["volume_ml"]
        return round(millilitres * 1000 / (3.0 * 0.8 * 0.8), 3)


@contextmanager
def service(data: Path, workers: int = 1, **settings: Any) -> Iterator[Service]:
    """Run a service on a free port."""
    configured = Settings(data=data, **{"min_free_bytes": 2**20, **settings})
    supervisor = Supervisor("127.0.0.1", 0, configured, workers)
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=supervisor.run, args=(stop, lambda _url: ready.set()))
    thread.start()
    running = None
    try:
        assert ready.wait(120)
        running = Service(supervisor, configured)
        yield running
    finally:
        if running is not None:
            running.client.close()  # perhaps not the one that it began with
        stop.set()
        thread.join()


def until(look: Callable[[], T | None], seconds: float = 120.0) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def lives(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def body(response: httpx.Response) -> str:
    return json.dumps(response.json())
