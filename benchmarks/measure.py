"""Run contenders side by side and write down what came out."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def compare(
    contenders: Mapping[str, Callable[[], object]], repeats: int = 5, warm_up: bool = True
) -> dict[str, float]:
    """Median seconds of each contender; the runs are interleaved so that drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    if warm_up:
        for run in contenders.values():
            run()
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def report(name: str, figures: Mapping[str, Any], ratios: Mapping[str, float]) -> None:
    """Print a table and write ``benchmarks/results/NAME.json``."""
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key:<44} {value:.6g}" if isinstance(value, float) else f"  {key:<44} {value}")
    for key, value in ratios.items():
        print(f"  {key:<44} {value:.2f}x")
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine(), "figures": dict(figures), "ratios": dict(ratios)}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def first_calls(code: str) -> tuple[float, float]:
    """Processor seconds of a whole process that runs ``code``, a first call of something compiled.

    Where nothing was compiled yet, and where the machine code was kept on disk.
    """
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            subprocess.run([sys.executable, "-c", code], env=environment, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return seconds[0], seconds[1]
