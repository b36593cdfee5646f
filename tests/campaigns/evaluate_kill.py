"""Kill an evaluation at random points, run it again, and compare every byte that it leaves.

Its cases are of every kind that is scored: labels, things, classes and fields, in turn. Run as
``python -m tests.campaigns.evaluate_kill --kills 20``; the tests run a short form. Kills are
SIGKILL to the process that the user started; its workers have to go by themselves.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delineate import delineation
from delineate.formats import nifti
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import Classes, DetectorSpec, Field, Instance, Instances, Options, Wants

GRID = Grid.regular((24, 32, 32), (2.0, 1.0, 1.0))
KINDS = {"instances": "detection", "classes": "classification", "field": "anomaly"}
NAMES = (Category("liver"), Category("spleen"))
PROGRAM = "from delineate.cli import main; import sys; main(sys.argv[1:])"


@dataclass
class Outcome:
    """What a campaign counted."""

    kills: int = 0
    killed_while_running: int = 0
    files: int = 0
    different: int = 0
    left_over: int = 0
    survivors: int = 0
    kept_at_kill: tuple[int, ...] = ()


def campaign(root: Path, kills: int, cases: int, workers: int = 2, seed: int = 0) -> Outcome:
    """Make cases, evaluate them once in peace, then kill and repeat ``kills`` times."""
    chance, outcome = random.Random(seed), Outcome()
    _cases(root, cases, seed)
    began = time.monotonic()
    _start(root, root / "whole", workers).wait()
    seconds = time.monotonic() - began
    expected = digests(root / "whole")
    outcome.files = len(expected)
    for number in range(kills):
        out = root / f"killed-{number}"
        process = _start(root, out, workers)
        _await_point(process, out, chance, cases, seconds)
        outcome.killed_while_running += process.poll() is None
        outcome.kept_at_kill += (_kept(out),)
        family = _family(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        outcome.kills += 1
        outcome.survivors += sum(not _gone(pid) for pid in family)
        _start(root, out, workers).wait()
        found = digests(out)
        outcome.different += sum(found.get(name) != one for name, one in expected.items())
        outcome.left_over += len(found.keys() - expected.keys())
    return outcome


def _await_point(
    process: subprocess.Popen[bytes], out: Path, chance: random.Random, cases: int, seconds: float
) -> None:
    """Wait until so many cases are kept, or, with none or all of them, for some time more."""
    wanted = chance.choice((0, cases, *range(1, cases)))
    while process.poll() is None and _kept(out) < wanted:
        time.sleep(0.002)
    if wanted in (0, cases):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.0, 0.3) * seconds)


def _kept(out: Path) -> int:
    return len(list((out / "cases").glob("*.json")))


def digests(folder: Path) -> dict[str, str]:
    """Of every file, hidden ones too, by its name within the folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _start(root: Path, out: Path, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, "evaluate", "prediction", "reference"]
    command += ["--out", str(out), "--workers", str(workers), "--parquet"]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Told:
    """A detector that finds what its image's samples say: kind by kind."""

    def detect(self, image: Image, options: Options) -> Instances | Classes | Field:
        places = np.argwhere(image.array > 90)[:6]
        if image.modality == "classes":
            share = float(image.array.mean() / 100)
            return Classes({NAMES[0]: share, NAMES[1]: 1 - share})
        if image.modality == "field":
            return Field(image.array / np.float32(100), image.grid, NAMES[0], "brightness", 0.5)
        items = [
            Instance(
                NAMES[n % 2], float(image.array[k, r, c] / 100), (float(k), float(r), float(c))
            )
            for n, (k, r, c) in enumerate(places.tolist())
        ]
        return Instances(tuple(items), image.grid)


def _cases(root: Path, count: int, seed: int) -> None:
    """Labels, things, classes and fields by turns, on 24 x 32 x 32 samples."""
    random_ = np.random.default_rng(seed)
    for number in range(count):
        name, kind = f"case{number:04}", ("labels", *KINDS)[number % 4]
        truth = _balls(random_)
        if kind == "labels":
            _write(truth, root / "reference" / f"{name}.nii.gz")
            _write(_balls(random_), root / "prediction" / f"{name}.nii.gz")
            continue
        bright = random_.gamma(2, 12, GRID.shape) + 60 * (truth == 1)
        _result(bright, kind, root / "prediction" / name)
        if kind == "field":
            _write(truth, root / "reference" / f"{name}.nii.gz")
        else:
            _result(bright + random_.normal(0, 9, GRID.shape), kind, root / "reference" / name)


def _balls(random_: np.random.Generator) -> np.ndarray:
    """Two balls, some missed."""
    places = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1)
    array = np.zeros(GRID.shape, np.uint8)
    for label, centre in ((1, (12, 10, 10)), (2, (12, 22, 22))):
        if random_.random() < 0.95:
            moved = centre + random_.normal(0, 1, 3)
            array[((places - moved) ** 2).sum(axis=-1) < 40] = label
    return array


def _write(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nifti.write_labels(LabelMap(array, GRID, dict(enumerate(NAMES, 1))), path)


def _result(samples: np.ndarray, kind: str, folder: Path) -> None:
    """What a detector of a kind finds, as ``delineate run`` leaves it."""
    spec = DetectorSpec(
        id=f"told.{kind}",
        title=kind,
        factory=f"{Told.__module__}:Told",
        categories=NAMES,
        task=KINDS[kind],
        gives=kind,
        wants=Wants(),
    )
    image = Image(np.clip(samples, 0, 99).astype(np.float32), GRID, kind)
    found = delineation.delineate(image, spec)
    delineation.export(found, ["field"] if kind == "field" else [], folder)


def _family(pid: int) -> list[int]:
    """Processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        lists = [(task / "children").read_text() for task in tasks.iterdir()]
    except OSError:
        return []
    return [int(child) for one in lists for child in one.split()]


def _gone(pid: int, seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)  # of ours, and the next run shall not meet it
    return False


def main() -> None:
    """Run a campaign and print its counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        outcome = campaign(Path(scratch), asked.kills, asked.cases, asked.workers, asked.seed)
    for name, value in vars(outcome).items():
        print(f"{name}: {value}")  # noqa: T201


if __name__ == "__main__":
    main()
