"""What a process of its own costs, and what a detector in it can do to us: R5 and R6, long form.

Run as ``python benchmarks/hosts.py [repeats]``.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from measure import compare, report

from delineate.errors import Cancelled, DetectorCrashError, DetectorError
from delineate.imaging import Grid, Image
from delineate.plugins import Monitor
from delineate.plugins.host import Host
from delineate.plugins.runner import InProcess

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "plugins"))
from misbehaving import How, rogue

DISASTERS = (
    "segfault",
    "exits",
    "raises",
    "prints_and_crashes",
    "forks_and_dies",
    "calls_sys_exit",
    "returns_nonsense",
)
LOOPS = ("loops", "loops_and_ignores_sigterm", "loops_in_c", "loops_politely")


class CancelAfter(Monitor):
    """Cancels after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def cancelled(self) -> bool:
        """Whether they are over."""
        return time.monotonic() >= self.at


def works(host: Host, image: Image) -> bool:
    found = host.run(image, How())
    return bool(np.array_equal(found.output.array, image.array > 0))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(repeats: int) -> None:
    ct = Grid.regular((41, 512, 512), (5.0, 0.8, 0.8))
    large = Image(np.random.default_rng(0).integers(-5, 5, ct.shape, np.int16), ct, "CT")
    small = Image(large.array[:4, :8, :8], Grid.regular((4, 8, 8)), "CT")
    figures: dict[str, float | int | str] = {}
    with Host(rogue) as host:
        start = time.perf_counter()
        works(host, small)
        figures["first run, process started, s"] = time.perf_counter() - start
        inside = InProcess(rogue)
        seconds = compare(
            {
                "small, in process": lambda: inside.run(small, How(), Monitor()),
                "small, own process": lambda: host.run(small, How()),
                "CT 41x512x512, in process": lambda: inside.run(large, How(), Monitor()),
                "CT 41x512x512, own process": lambda: host.run(large, How()),
            },
            repeats=9,
        )
        figures |= {f"{name}, s": value for name, value in seconds.items()}

        told: Counter[str] = Counter()
        wrong = 0
        files, descriptors = (
            len(os.listdir(tempfile.gettempdir())),
            len(os.listdir("/proc/self/fd")),
        )
        for number in range(repeats * len(DISASTERS)):
            try:
                host.run(small, How(how=DISASTERS[number % len(DISASTERS)]))
            except DetectorCrashError:
                told["crashes told"] += 1
            except DetectorError:
                told["errors told"] += 1
            wrong += not works(host, small)
        figures |= {"disasters": repeats * len(DISASTERS), **told, "next runs that failed": wrong}

        waits = []
        for number in range(repeats * len(LOOPS)):
            works(host, small)
            monitor = CancelAfter(0.2)
            try:
                host.run(small, How(how=LOOPS[number % len(LOOPS)]), monitor)
            except Cancelled:
                waits.append(time.monotonic() - monitor.at)
            wrong += not works(host, small)
        figures |= {
            "cancelled": len(waits),
            "cancel, median s": statistics.median(waits),
            "cancel, longest s": max(waits),
            "runs after cancelling that failed": wrong,
        }
        before = resident_mb()
        for _ in range(25):  # 41 MB each: 1 GB
            host.run(small, How(how="prints"))
        figures["grown by 1 GB of stderr, MB"] = resident_mb() - before
        before = resident_mb()
        for _ in range(1000):
            host.run(small, How())
        figures["grown by 1000 runs, MB"] = resident_mb() - before
        host.close()
        figures["descriptors left"] = len(os.listdir("/proc/self/fd")) - descriptors
        figures["files left"] = len(os.listdir(tempfile.gettempdir())) - files
    ratios = {
        "own process : in process, CT": seconds["CT 41x512x512, own process"]
        / seconds["CT 41x512x512, in process"]
    }
    report("hosts", figures, ratios)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
