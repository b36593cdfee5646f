"""Pitting on BSData: cross-validation of the U-Net by `delineate train`, beside a plain peer.

``python benchmarks/surface.py train --out RUNS`` trains a model for each fold and one on all
pictures, as many at once as ``--parallel`` says, and for as long as ``--seconds`` (or ``--steps``)
allows. ``score --out RUNS`` adds the peer, writes ``benchmarks/results/surface.json`` and the table
of ``docs/models/defects-surface.md``.
``adopt --out RUNS`` makes the model of all pictures the one that ships. A run goes on where it was.

Pictures of one spot (the same position and angle of the spindle, or a neighbouring one) are one
group and stay together: they show a pit that grows.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measure import report
from numpy.typing import NDArray
from surface_scores import (
    OUTLINE_AT,
    Choice,
    Row,
    black_hat,
    chosen,
    compare,
    filtered,
    nested,
    peer_masks,
    strata,
    table,
)

from delineate.detectors.surface import MODEL, SurfaceOptions
from delineate.detectors.surface.regions import numbered_regions
from delineate.imaging import Category
from delineate.plugins import Monitor
from delineate.segmentation.model_file import describe_model, read_model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Review, Segmenter
from delineate.segmentation.training.layouts import CaseFiles, find
from delineate.segmentation.training.pairs import read_pair
from delineate.segmentation.training.plan import Options
from delineate.segmentation.training.run import Data, train_model
from delineate.segmentation.working import Working

_OPTIONS = SurfaceOptions()

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "defects" / "bsdata"
CARD = Path(__file__).resolve().parents[1] / "docs" / "models" / "defects-surface.md"
BEGIN, END = "<!-- scores -->", "<!-- end of scores -->"
NAMES = {1: "Pitting"}
FOLDS = 5
WEAK = (0.5, 30, 0.7)  # outlined at, least area, least mean probability
SHIPPED = (_OPTIONS.outline_at, _OPTIONS.min_area_px, _OPTIONS.min_probability)
PROBE = 150  # steps after which the speed is known
RESERVE_S = 30.0  # for measuring at the end
RADII, AREAS = (12, 20, 28), (30, 100, 300, 1000)
THRESHOLDS = tuple(float(level) for level in range(20, 121, 10))


def group(name: str) -> str:
    """The spot that a picture shows, by its name."""
    if name.startswith("KGT"):
        return "KGT2-V-A09" if "A09" in name else name.partition("_")[0]
    spot = name.split("_")[2]
    return "395000" if spot == "397500" else spot  # 2.5 mm and an eighth of a turn further on


def folds(names: list[str]) -> list[tuple[str, ...]]:
    """Names of the pictures of each fold: whole groups, the largest first into the emptiest."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group(name), []).append(name)
    parts: list[list[str]] = [[] for _ in range(FOLDS)]
    for each in sorted(groups, key=lambda key: (-len(groups[key]), key)):
        min(parts, key=len).extend(groups[each])
    return [tuple(sorted(part)) for part in parts]


def cases(data: Path) -> dict[str, CaseFiles]:
    return {case.name: case for case in find(data, NAMES).cases}


def train_one(arguments: argparse.Namespace) -> None:
    """Train on all pictures but those of a fold, for the time that is left, and score these."""
    end = time.time() + arguments.seconds if arguments.seconds else None
    known = cases(arguments.data)
    parts = folds(sorted(known))
    kept = parts[arguments.fold] if arguments.fold < FOLDS else ()
    learned = {name: case for name, case in known.items() if name not in kept}
    data = Data(find(arguments.data, NAMES), learned, ())
    folder = arguments.out / (f"fold_{arguments.fold}" if kept else "all")
    begun = (folder / "plan.json").exists()  # a run that goes on keeps its number of steps
    options = Options(
        patch=(arguments.patch, arguments.patch),
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        modality="photo",
        name="defects-surface",
        licence="CC BY-SA 4.0",
        steps=arguments.steps or (None if begun else PROBE),
    )
    run = {"workers": arguments.workers, "device": arguments.device}
    train_model(data, folder, options, **run)
    if end is not None:
        with (folder / "log.csv").open() as stream:
            times = [float(row["time"]) for row in csv.DictReader(stream)]
        pace = (times[-1] - times[len(times) // 3]) / (len(times) - 1 - len(times) // 3)
        more = int(max(0.0, end - RESERVE_S - time.time()) / pace)
        if more > 0:
            train_model(data, folder, replace(options, steps=len(times) + more), **run)
    if kept:
        score_fold(folder, kept, arguments)


def score_fold(folder: Path, kept: tuple[str, ...], arguments: argparse.Namespace) -> None:
    """Outline the pictures that were kept back; write scores for every choice of the filter."""
    known, dataset = cases(arguments.data), find(arguments.data, NAMES)
    segmenter = Segmenter(read_model(folder / "model"))
    rows: list[Row] = []
    for name in kept:
        image, drawn = read_pair(known[name], dataset)
        for mirror in (False, True):
            about = {"name": name, "group": group(name), "mirror": mirror}
            options = ModelOptions(device=arguments.device, backend="torch", mirror=mirror)
            review = every_choice(drawn == 1, about, rows)
            segmenter.run(image, options, Monitor(), review=review)
    (folder / "scores.json").write_text(json.dumps(rows) + "\n")


def every_choice(drawn: NDArray[np.bool_], about: Row, rows: list[Row]) -> Review:
    """What adds the scores of a picture to ``rows``: a row for each choice of the filter."""

    def review(logits: NDArray[np.float32], _: NDArray[np.float32], working: Working) -> None:
        covered = working.covered(0, logits.shape[1])
        for level in OUTLINE_AT:
            pieces, regions = numbered_regions(logits, covered, level)
            inside = pieces[covered].reshape(drawn.shape)[0]
            for choice, row in filtered(inside, regions, drawn[0]):
                rows.append(row | about | {"choice": (level, *choice)})

    return review


def train(arguments: argparse.Namespace) -> None:
    """Start a process for each fold and for all pictures; wait for them."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting = [str(number) for number in (FOLDS, *range(FOLDS))]
    running: list[subprocess.Popen[bytes]] = []
    passed = [f"--{key}={value}" for key, value in vars(arguments).items() if key in _PASSED]
    failed = 0
    while waiting or running:
        while waiting and len(running) < arguments.parallel:
            number = waiting.pop(0)
            log = (arguments.out / f"log_{number}.txt").open("wb")
            command = [sys.executable, __file__, "one", f"--fold={number}", *passed]
            running.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        time.sleep(0.5)
        failed += sum(process.poll() not in (None, 0) for process in running)
        running = [process for process in running if process.poll() is None]
    if failed:
        sys.exit(f"{failed} of {FOLDS + 1} trainings failed; see {arguments.out}/log_*.txt")


_PASSED = (
    *("data", "out", "seconds", "steps", "patch", "batch", "learning_rate", "workers", "device"),
)


def peer_rows(data: Path) -> list[dict[str, Any]]:
    """Black-hat, threshold and least area, chosen for F1 and then Dice on the other folds."""
    known, dataset = cases(data), find(data, NAMES)
    rows: dict[str, dict[Choice, Row]] = {}
    for name, case in known.items():
        image, drawn = read_pair(case, dataset)
        grey = image.array[0].mean(axis=-1, dtype=np.float32)
        rows[name] = {}
        for radius in RADII:
            masks = peer_masks(black_hat(grey, radius), THRESHOLDS, AREAS)
            for (threshold, area), mask in masks.items():
                row = compare(drawn[0] == 1, mask)
                rows[name][radius, threshold, area] = row | {"name": name, "group": group(name)}
    return nested(rows, folds(sorted(known)))


def cross_validated(out: Path) -> dict[str, Any]:
    """Tables with the filter chosen on the other folds; with a weak filter; and what ships."""
    rows: dict[bool, dict[str, dict[Choice, Row]]] = {False: {}, True: {}}
    for number in range(FOLDS):
        for row in json.loads((out / f"fold_{number}" / "scores.json").read_text()):
            rows[row["mirror"]].setdefault(row["name"], {})[tuple(row["choice"])] = row
    names = sorted(rows[False])
    parts = folds(names)
    best = chosen(rows[False], names)
    if best != SHIPPED:
        print(f"chosen on all pictures: {best}, but the detector has {SHIPPED}", file=sys.stderr)
    found = {
        "U-Net": nested(rows[False], parts),
        "U-Net, mean of flips": nested(rows[True], parts),
        "U-Net, weak filter": [rows[False][name][WEAK] for name in names],
    }
    return {
        name: {part: table(some) for part, some in strata(these) if some}
        for name, these in found.items()
    }


def score(arguments: argparse.Namespace) -> None:
    """Print and write the tables; folds that were not scored yet are."""
    for number, kept in enumerate(folds(sorted(cases(arguments.data)))):
        if not (arguments.out / f"fold_{number}" / "scores.json").exists():
            score_fold(arguments.out / f"fold_{number}", kept, arguments)
    tables = cross_validated(arguments.out)
    tables["black-hat and threshold"] = {
        part: table(some) for part, some in strata(peer_rows(arguments.data)) if some
    }
    text = CARD.read_text()
    before, after = text.index(BEGIN) + len(BEGIN), text.index(END)
    CARD.write_text(text[:before] + "\n\n" + "\n".join(written(tables)) + "\n\n" + text[after:])
    report("surface", tables, {})


def written(tables: dict[str, Any]) -> Iterator[str]:
    """The tables as Markdown: each score with its interval."""
    yield "| | pictures | groups | Dice | F1 | recall | precision |"
    yield "|---|---|---|---|---|---|---|"
    for name, parts in tables.items():
        for part, scores in parts.items():
            cells = (
                "{:.2f} ({:.2f} to {:.2f})".format(*scores[key])
                for key in ("dice", "f1", "recall", "precision")
            )
            counts = f"{scores['pictures']} | {scores['groups']}"
            yield f"| {name}: {part} | {counts} | {' | '.join(cells)} |"


def adopt(arguments: argparse.Namespace) -> None:
    """Make the model of all pictures the shipped one, with what cross-validation measured."""
    shutil.rmtree(MODEL, ignore_errors=True)
    shutil.copytree(arguments.out / "all" / "model", MODEL)
    (MODEL / "README.md").unlink()
    (MODEL / "curves.png").unlink()
    model = read_model(MODEL)
    pitting = replace(model.structures[0], category=Category("pitting", colour=(213, 94, 0)))
    metrics = {"cross_validation": cross_validated(arguments.out)["U-Net"]}
    describe_model(
        replace(
            model,
            version="1",
            title="Pitting of ball screws on photographs",
            structures=(pitting,),
            metrics=metrics,
            source="BSData (github.com/2Obe/BSData), CC BY-SA 4.0",
            intended_use="Inspection of ball screws by photographs like those it learned from. "
            "What it does not find may still be there.",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("train", "one", "score", "adopt"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, default=FOLDS)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--patch", type=int, default=256)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--learning_rate", type=float, default=0.002)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parallel", type=int, default=FOLDS + 1)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"BSData is not there: {arguments.data}")
    {"train": train, "one": train_one, "score": score, "adopt": adopt}[arguments.what](arguments)


if __name__ == "__main__":
    main()
