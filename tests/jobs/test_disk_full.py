"""A disk that is full: refused with its own code, nothing half done, and all goes on later."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service import Service, series, service, until

from delineate.jobs.database import connect
from delineate.jobs.table import JobTable


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return ballast


def left_over(running: Service) -> list[Path]:
    folders = [running.home / name for name in ("incoming", "fetching")]
    return [one for folder in folders if folder.exists() for one in folder.iterdir()]


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_half_done(
    disk: Path, odd_detectors: Path, tmp_path: Path
) -> None:
    files = series(tmp_path / "ct")
    with service(disk / "data", min_free_bytes=0) as running:
        image_id = running.upload(files).raise_for_status().json()["id"]
        assert running.wait(running.submit(image_id)["id"])["state"] == "done"
        # The result and the database meet the full disk, whichever comes first.
        caught = running.submit(image_id, options={"seconds": 2.0})
        until(lambda: running.job(caught["id"])["stage"] == "looking" or None)
        ballast = fill(disk)

        refused = running.upload(series(tmp_path / "other", seed="other"))
        assert refused.status_code == 507
        assert refused.json()["title"] == "StorageFullError"
        for _ in range(40):  # until the log of the database needs another page
            answer = running.client.post(
                "/v1/jobs", json={"image_id": image_id, "detector": "test.bright"}
            )
            if answer.status_code != 202:
                break
        assert answer.status_code in (202, 507)
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        assert left_over(running) == []

        ballast.unlink()

        ended = running.wait(caught["id"])
        assert (ended["state"], ended["dead"]) in (("done", False), ("failed", True))
        if ended["state"] == "failed":
            assert ended["error"]["code"] == "StorageFullError"
            again = running.client.post(f"/v1/jobs/{caught['id']}/retry").raise_for_status()
            assert running.wait(again.json()["id"])["state"] == "done"
        assert running.upload(series(tmp_path / "third", seed="third")).status_code == 201
        database = connect(running.settings.database_url)
        table = JobTable(database)
        until(lambda: not table.open() or None)
        assert all(job.state == "done" or job.dead for job in table.all())
        with database.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        database.dispose()
