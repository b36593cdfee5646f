"""What an evaluation of many small cases costs beside reading and measuring them.

    python benchmarks/evaluation.py                # 2 000 cases
    python benchmarks/evaluation.py --cases 200    # a quick look; writes no result
    python benchmarks/evaluation.py --side 128     # larger ones; writes no result

Each case is two label maps of 64 x 64 x 64 samples with five organs, and all metrics are measured:
five milliseconds. What starting costs is the same for any number of cases of any size.

pure          processes, one a core, that have imported and compiled all they need read both files
              of each case, match the structures and measure: the sum over the processes
scoring       ``evaluate`` in a fresh process, from its start: imports, finding the cases, starting
              processes, hashes, keeping what was scored, gathering
whole         ``delineate evaluate``, with tables, statistics, pictures and the report

``cpu_overhead_*`` compares processor seconds of all processes, ``wall_overhead_*`` the time that
has passed, times the cores: what is idle counts. On a machine that does other things beside, the
first alone means something. ``scoring_one_core_vs_two`` and ``whole_one_core_vs_two`` are the times
on one core by those on two. Peak memory is that of the largest process that scores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import measure
import numpy as np

from delineate.evaluation.case import Case, Rules
from delineate.evaluation.pairs import cases_of
from delineate.evaluation.reading import read_sides
from delineate.evaluation.scored import matched
from delineate.evaluation.scoring import score
from delineate.formats import nifti
from delineate.imaging import Category, Grid, LabelMap

SIDE = 64
ORGANS = ("liver", "spleen", "left kidney", "right kidney", "stomach")
SCORING = """if True:
    import resource, sys
    from delineate.evaluation import evaluate
    evaluate(f"{sys.argv[1]}/prediction", f"{sys.argv[1]}/reference", out=sys.argv[2])
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
WHOLE = "import sys; from delineate.cli import main; main(sys.argv[1:])"


def make(root: Path, count: int, side: int) -> None:
    """Organs as ellipsoids; a prediction's are moved by about a sample."""
    rng, grid = np.random.default_rng(1), Grid.regular((side,) * 3, (2.0, 1.5, 1.5))
    names = {label: Category(name) for label, name in enumerate(ORGANS, 1)}
    place = np.arange(side, dtype=np.float32)
    for number in range(count):
        centres = rng.uniform(0.2, 0.8, (len(ORGANS), 3)) * side
        radii = rng.uniform(0.08, 0.22, (len(ORGANS), 3)) * side
        for name, spread in (("reference", 0.0), ("prediction", 1.0)):
            array = np.zeros(grid.shape, np.uint8)
            for label, (centre, radius) in enumerate(zip(centres, radii, strict=True), 1):
                moved = centre + rng.normal(0, spread, 3)
                z, y, x = (((place - m) / r) ** 2 for m, r in zip(moved, radius, strict=True))
                array[z[:, None, None] + y[:, None] + x < 1] = label
            path = root / name / f"case{number:05d}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nifti.write_labels(LabelMap(array, grid, names), path)


def alone(case: Case, rules: Rules) -> None:
    """Read and measure, and nothing else."""
    assert case.prediction is not None
    reference, prediction = read_sides((case.reference, None), (case.prediction, None), None)
    for ours, theirs in matched(reference, prediction, rules).pairs:
        score(theirs, ours, rules.scoring, 1)


def share(cases: Sequence[Case], begin: object, told: object) -> None:
    """A process's part of the pure work: seconds that passed, and of the processor."""
    rules = Rules()
    alone(cases[0], rules)
    begin.wait()  # type: ignore[attr-defined]
    wall, cpu = time.perf_counter(), time.process_time()
    for case in cases:
        alone(case, rules)
    told.put((time.perf_counter() - wall, time.process_time() - cpu))  # type: ignore[attr-defined]


def pure(root: Path, processes: int) -> tuple[float, float]:
    """Sum over the processes: seconds that passed, and of the processor."""
    cases = cases_of(root / "prediction", root / "reference").cases
    context = multiprocessing.get_context("spawn")
    begin, told = context.Barrier(processes), context.Queue()
    running = [
        context.Process(target=share, args=(cases[number::processes], begin, told))
        for number in range(processes)
    ]
    for one in running:
        one.start()
    parts = np.array([told.get() for _ in running])
    for one in running:
        one.join()
    wall, cpu = parts.sum(axis=0).tolist()
    return wall, cpu


def run(code: str, *arguments: object, cores: int) -> tuple[float, float, str]:
    """Seconds that passed and of the processor, of a command on so many cores; what it prints."""
    allowed = set(sorted(os.sched_getaffinity(0))[:cores])
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        preexec_fn=lambda: os.sched_setaffinity(0, allowed),
        check=True,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu, done.stdout


def main() -> None:
    """Measure and write the result."""
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=2000)
    options.add_argument("--side", type=int, default=SIDE)
    options.add_argument("--repeats", type=int, default=3)
    asked = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows: dict[str, list[tuple[float, float]]] = {"pure": [], "scoring": [], "whole": []}
    on_one: dict[str, list[float]] = {"scoring": [], "whole": []}
    peak = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        make(root, asked.cases, asked.side)
        for turn in range(asked.repeats):
            rows["pure"].append(pure(root, cores))
            *spent, said = run(SCORING, root, root / f"scoring{turn}", cores=cores)
            rows["scoring"].append((spent[0], spent[1]))
            peak = max(peak, float(said) / 1024)
            order = ("evaluate", root / "prediction", root / "reference", "--out")
            *spent, _ = run(WHOLE, *order, root / f"whole{turn}", cores=cores)
            rows["whole"].append((spent[0], spent[1]))
            alone_on_one = run(SCORING, root, root / f"scoring_one{turn}", cores=1)
            on_one["scoring"].append(alone_on_one[0])
            on_one["whole"].append(run(WHOLE, *order, root / f"one{turn}", cores=1)[0])
    wall, cpu = ({n: float(np.median([r[i] for r in rows[n]])) for n in rows} for i in (0, 1))
    figures = {
        "cases": asked.cases,
        "side": asked.side,
        "pure_ms_a_case": 1000 * cpu["pure"] / asked.cases,
        "whole_s": wall["whole"],
        "peak_mb_a_process": peak,
        "load_at_the_end": os.getloadavg()[0],
    }
    for name in ("scoring", "whole"):
        figures[f"cpu_overhead_{name}"] = cpu[name] / cpu["pure"] - 1
        figures[f"wall_overhead_{name}"] = wall[name] * cores / wall["pure"] - 1
    ratios = {
        f"{name}_one_core_vs_two": float(np.median(seconds)) / wall[name]
        for name, seconds in on_one.items()
    }
    if (asked.cases, asked.side) == (2000, SIDE):
        measure.report("evaluation", figures, ratios)
    else:
        print(figures, ratios)


if __name__ == "__main__":
    main()
