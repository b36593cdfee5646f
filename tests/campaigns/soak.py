"""Does a service grow? Run as ``python -m tests.campaigns.soak --jobs 2000``.

Jobs, one after the other, through a whole service; memory and descriptors of each process are
looked at all along. The first fifth warms up and does not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import numpy as np
from service import Service, children, install_detectors, series, service


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process: MB of memory for 100 jobs, and the descriptors at first and at last."""

    mb_for_100_jobs: float
    descriptors: tuple[int, int]


def soak(data: Path, jobs: int, looks: int = 40) -> dict[str, Growth]:
    """Run jobs and tell how each process has grown."""
    seen: defaultdict[str, list[tuple[int, float, int]]] = defaultdict(list)
    with service(data, quiet=True) as running:
        image_id = running.upload(series(data.parent / "ct")).raise_for_status().json()["id"]
        for number in range(jobs):
            job = running.wait(running.submit(image_id)["id"])
            assert job["state"] == "done", job
            if number >= jobs // 5 and number % max(1, jobs // looks) == 0:
                for name, pid in _processes(running).items():
                    seen[name].append((number, *_size(pid)))
    return {name: _growth(looked) for name, looked in seen.items() if len(looked) > 2}


def _processes(running: Service) -> Mapping[str, int]:
    found = {name: running.pid(name) for name in ("api", "worker-1")}
    for name, pid in list(found.items()):
        found |= {f"{name}, child {n}": child for n, child in enumerate(children(pid))}
    return found


def _size(pid: int) -> tuple[float, int]:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir(f"/proc/{pid}/fd"))


def _growth(looked: list[tuple[int, float, int]]) -> Growth:
    numbers, sizes, descriptors = zip(*looked, strict=True)
    slope = float(np.polyfit(numbers, sizes, 1)[0])
    return Growth(round(100 * slope, 3), (descriptors[0], descriptors[-1]))


def main() -> None:
    """Run the campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PYTHONPATH"] = install_detectors(Path(scratch) / "site")
        for name, growth in soak(Path(scratch) / "data", asked.jobs).items():
            first, last = growth.descriptors
            print(  # noqa: T201
                f"{name}: {growth.mb_for_100_jobs:+.2f} MB per 100 jobs, "
                f"descriptors {first} then {last}"
            )


if __name__ == "__main__":
    main()
