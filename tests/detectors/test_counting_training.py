"""docs/counting.md runs as it is written, and what it makes counts; killed runs go on."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from typer.testing import CliRunner

from delineate.cli import application
from delineate.detectors.counting import training
from delineate.detectors.counting.matching import matched
from delineate.detectors.counting.network import first_weights, untrained
from delineate.detectors.counting.patches import PointPatches
from delineate.detectors.counting.pictures import Picture, read_folder
from delineate.detectors.counting.plan import Options, splits
from delineate.detectors.counting.snapping import snapped
from delineate.detectors.counting.training import train_points
from delineate.errors import InputError, OptionError
from delineate.phantom.cells import cells, write_cells
from delineate.plugins import registry
from delineate.segmentation.model_file import read_model

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "counting.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
SMALL = Options(steps=6, batch=2, side=32, channels=(4, 8, 8), validation=0.4, name="small")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the page was followed."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DELINEATE_MODELS", str(folder / "models"))
        for command in COMMANDS:
            program, *arguments = shlex.split(command)
            if program == "python":
                subprocess.run([sys.executable, *arguments], check=True)
            else:
                done = CliRunner().invoke(application(), arguments, catch_exceptions=False)
                assert done.exit_code == 0, done.output
        yield folder


def test_the_page_needs_fewer_than_ten_commands() -> None:
    assert 3 <= len(COMMANDS) < 10


def test_what_the_page_makes_is_a_detector_with_a_count_error(followed: Path) -> None:
    spec = registry.find("models.cells-count")

    assert spec.task == "counting"
    assert spec.count_error is not None
    assert spec.wants.modalities == ("photo",)


def test_what_the_page_makes_counts_cells_it_never_saw(followed: Path) -> None:
    document = json.loads(next((followed / "counted").rglob("*.json")).read_text())
    true = len(cells(2000)[1])

    assert abs(len(document["findings"]) - true) <= max(2, 0.25 * true)


def test_the_card_tells_what_was_measured(followed: Path) -> None:
    model = read_model(followed / "cells-count" / "model")
    card = (model.folder / "README.md").read_text()

    assert model.metrics["validation"]["pictures"] == 2
    assert model.metrics["validation"]["f1"] > 0.8
    assert f"{model.metrics['validation']['f1']:.3f}" in card
    assert "cells_0" not in card


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    write_cells(folder, 5)
    return folder


@pytest.mark.parametrize("at", [1, 2])
def test_a_killed_run_goes_on_to_the_same_weights(data: Path, tmp_path: Path, at: int) -> None:
    class Killed(Exception):
        pass

    def kill(what: str, step: int) -> None:
        if step == 4 and what.endswith(f"round {at}"):
            raise Killed

    options = replace(SMALL, checkpoint_every=2, rounds=2)
    whole = train_points(data, tmp_path / "whole", options, workers=0)
    with pytest.raises(Killed):
        train_points(data, tmp_path / "cut", options, workers=0, report=kill)
    resumed = train_points(data, tmp_path / "cut", options, workers=0)

    assert resumed.weights == whole.weights
    with (tmp_path / "cut" / "log.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == list("123456")


@given(st.integers(0, 2**32 - 1), st.floats(1, 20))
def test_points_move_to_what_was_found_near_them_and_nowhere_else(
    seed: int, distance: float
) -> None:
    rng = np.random.default_rng(seed)
    there, kinds = rng.uniform(0, 60, (12, 2)), rng.integers(2, size=12)
    peaks = [rng.uniform(0, 60, (int(rng.integers(9)), 3)) for _ in range(2)]
    before = Picture("p", np.zeros((60, 60, 3), np.uint8), there.copy(), kinds, np.full(12, 9.0))

    after = snapped(before, peaks, distance)

    np.testing.assert_array_equal(before.points, there)
    moved = (after.points != there).any(axis=1)
    for kind in (0, 1):
        mine = after.points[moved & (kinds == kind)]
        assert len(mine) == len(matched(peaks[kind][:, :2], there[kinds == kind], distance))
        assert {tuple(point) for point in mine} <= {tuple(peak) for peak in peaks[kind][:, :2]}
        assert len({tuple(point) for point in mine}) == len(mine)
    assert (np.linalg.norm(after.points - there, axis=1) <= distance + 1e-9).all()


def test_a_second_round_learns_from_points_that_were_moved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[list[Picture]] = []
    plain = training.PointPatches

    def noted(pictures: list[Picture], *rest: object) -> PointPatches:
        learned.append(pictures)
        return plain(pictures, *rest)  # type: ignore[arg-type]

    set_ = {each.name: each.points for each in read_folder(data)[0]}
    some = next(iter(set_))
    nudge = [np.array([[row + 2, column, 0.9] for row, column in set_[some]])]
    monkeypatch.setattr(training, "PointPatches", noted)
    monkeypatch.setattr(training.Finder, "points", lambda *_: nudge)
    model = train_points(data, tmp_path, replace(SMALL, rounds=2, validation=0.0), workers=0)

    first, second = ({each.name: each.points for each in pictures} for pictures in learned)
    assert all((first[name] == points).all() for name, points in set_.items())
    np.testing.assert_allclose(second[some], set_[some] + [2, 0])
    assert model.training["options"]["rounds"] == 2


def test_a_run_that_goes_on_otherwise_is_refused(data: Path, tmp_path: Path) -> None:
    train_points(data, tmp_path, SMALL, workers=0)

    with pytest.raises(InputError, match=r"batch 2, now 3"):
        train_points(data, tmp_path, replace(SMALL, batch=3), workers=0)
    with pytest.raises(InputError, match="has 6 steps already"):
        train_points(data, tmp_path, replace(SMALL, steps=5), workers=0)


def test_with_folds_each_picture_is_kept_back_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_HELD_TRAPS", 4)
    options = replace(SMALL, folds=2, traps=3, levels=2)
    names = [f"p{number}" for number in range(5)]

    *folds, last = splits(names, options)
    assert sorted(name for each in folds for name in each.held) == names
    assert all(not set(each.held) & set(each.training) for each in folds)
    assert (last.training, last.held) == (tuple(names), ())

    model = train_points(data, tmp_path, options, workers=0)
    assert model.metrics["validation"]["pictures"] == 5
    assert model.metrics["generated"]["pictures"] == 4
    assert set(model.settings["count_error"]) == {"per_item", "relative"}


def test_without_a_picture_kept_back_nothing_is_said_to_be_measured(
    data: Path, tmp_path: Path
) -> None:
    model = train_points(data, tmp_path, replace(SMALL, validation=0.0), workers=0)

    assert "count_error" not in model.settings
    assert "Not measured" in (model.folder / "README.md").read_text()


def test_a_run_begins_with_the_weights_of_another_model(data: Path, tmp_path: Path) -> None:
    base = train_points(data, tmp_path / "base", SMALL, workers=0)
    options = replace(SMALL, base=str(base.folder))
    model = untrained(tmp_path / "other", options, ("object",), 10.0)

    network = first_weights(model, options)

    stored = load_file(base.folder / base.weights[0].name)
    assert all(torch.equal(value, stored[name]) for name, value in network.state_dict().items())
    with pytest.raises(
        InputError, match=r"channels \[4, 8\] to begin with, got UNet of \[4, 8, 8\]"
    ):
        train_points(data, tmp_path / "odd", replace(options, channels=(4, 8)), workers=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": 33, "channels": (4, 8, 8)},
        {"folds": 1},
        {"zoom": 0.5},
        {"levels": 0},
        {"channels": (8,)},
    ],
)
def test_what_makes_no_plan_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="expected"):
        replace(SMALL, **wrong)


def test_a_run_within_its_data_is_refused(data: Path) -> None:
    with pytest.raises(OptionError, match="lies in the data"):
        CliRunner().invoke(
            application(), ["train-points", str(data), str(data / "run")], catch_exceptions=False
        )
    assert not os.path.exists(data / "run")
