"""Runs of ``delineate train``: they learn, are measured, and go on when they were killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import labelled
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from PIL import ImageDraw

from delineate import formats
from delineate.errors import InputError
from delineate.plugins import Monitor
from delineate.segmentation.model_file import read_model
from delineate.segmentation.options import ModelOptions
from delineate.segmentation.segmenter import Segmenter
from delineate.segmentation.training.curves import draw_curves
from delineate.segmentation.training.plan import Options
from delineate.segmentation.training.run import gathered, train_model
from delineate.segmentation.training.validation import dice
from delineate.segmentation.weights import load_network


def _scores(folder: Path) -> dict[str, dict[str, float]]:
    return json.loads((folder / "model" / "model.json").read_text())["metrics"]["validation"]


def _losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def test_a_small_training_on_volumes_learns(ball_run: Path) -> None:
    scores = _scores(ball_run)

    assert scores["cases"] == 2
    assert min(each["mean"] for each in scores["dice"].values()) > 0.8
    with (ball_run / "validation.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["30"] * 4 + ["60"] * 4


def test_a_small_training_on_pictures_learns(disc_run: Path) -> None:
    assert _scores(disc_run)["dice"]["disc"]["mean"] > 0.8


def test_the_model_is_one_that_the_engine_runs(disc_run: Path, disc_data: Path) -> None:
    model = read_model(disc_run / "model")
    image = formats.read(disc_data / "images" / "plate_0.png")

    found = Segmenter(model).run(image, ModelOptions(backend="torch"), Monitor())

    _, mask = labelled.discs(0)
    assert dice((mask > 0).astype(np.uint8), found.labels[0], 1) > 0.8


def test_the_card_tells_numbers_and_no_names(ball_run: Path) -> None:
    card = (ball_run / "model" / "README.md").read_text()

    scores = _scores(ball_run)
    assert f"| ball | {scores['dice']['ball']['mean']:.3f} |" in card
    assert "4 cases; 2 more were kept back" in card
    assert "not for diagnosis" in card
    for path in (ball_run / "model").iterdir():
        assert b"doe_" not in path.read_bytes(), path.name


def test_the_curves_are_drawn_alike_each_time(ball_run: Path, tmp_path: Path) -> None:
    draw_curves(ball_run / "log.csv", ball_run / "validation.csv", tmp_path / "again.png")

    assert (tmp_path / "again.png").read_bytes() == (ball_run / "curves.png").read_bytes()
    with Pillow.open(tmp_path / "again.png") as picture:
        assert picture.size == (1000, 720)


def test_other_options_or_cases_are_refused_and_more_steps_are_not(
    ball_data: Path, tmp_path: Path
) -> None:
    few = replace(labelled.SMALL, steps=4)
    data = gathered(ball_data)
    train_model(data, tmp_path, few, workers=0)

    with pytest.raises(InputError, match=r"started with seed 1, now 2; leave that out"):
        train_model(data, tmp_path, replace(few, seed=2), workers=0)
    with pytest.raises(InputError, match=r"steps 4, now 3"):
        train_model(data, tmp_path, Options(steps=3), workers=0)
    fewer = replace(data, cases=dict(list(data.cases.items())[1:]))
    with pytest.raises(InputError, match=r"labels \{1: 'ball', 2: 'stone'\}, now they are"):
        train_model(gathered(ball_data, {1: "ball"}), tmp_path, few, workers=0)
    with pytest.raises(InputError, match="other cases are there now"):
        train_model(fewer, tmp_path, few, workers=0)

    train_model(data, tmp_path, Options(steps=6), workers=0)
    assert len(_losses(tmp_path)) == 6


def test_nothing_kept_back_is_said_plainly(disc_data: Path, tmp_path: Path) -> None:
    model = train_model(
        gathered(disc_data), tmp_path, replace(labelled.FLAT, steps=2, validation=0.0), workers=0
    )

    assert model.metrics["validation"] == {"cases": 0}
    assert "Not measured: no case was kept back." in (model.folder / "README.md").read_text()


def test_a_folder_of_validation_is_measured_on(disc_data: Path, tmp_path: Path) -> None:
    held = labelled.discs_folder(tmp_path / "held", 3)

    model = train_model(
        gathered(disc_data, None, held),
        tmp_path / "run",
        replace(labelled.FLAT, steps=2),
        workers=0,
    )

    assert model.metrics["validation"]["cases"] == 3
    assert model.training["cases"] == 8


_COMMAND = (
    "import torch; torch.set_num_threads(1); torch.set_num_interop_threads(1); "
    "from delineate.cli import main; main()"
)


def _command(data: Path, folder: Path) -> list[str]:
    options = {"steps": 250, "channels": "8,16", "patch": "16,16,16", "validation": 0, "workers": 0}
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-c", _COMMAND, "train", str(data), str(folder), *given]


def test_a_killed_run_goes_on_to_the_same_curve(ball_data: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen(_command(ball_data, killed), env=environment) as running:
        until = time.monotonic() + 120
        while not (killed / "checkpoint.pt").exists() and running.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert not (killed / "model").exists()

    subprocess.run(_command(ball_data, killed), env=environment, check=True, capture_output=True)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    options = Options(steps=250, channels=(8, 16), patch=(16, 16, 16), validation=0.0)
    train_model(gathered(ball_data), whole, options, workers=0)
    torch.set_num_threads(before)

    assert len(_losses(whole)) == 250
    assert _losses(killed) == pytest.approx(_losses(whole), rel=1e-4)
    one, other = (load_network(read_model(folder / "model")) for folder in (killed, whole))
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], rtol=1e-4, atol=1e-6)


def test_photographs_of_pitting_are_learned_for_a_few_steps(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "defects" / "bsdata"
    for path in sorted((source / "label").glob("*.json"))[:4]:
        drawn = json.loads(path.read_text())
        mask = Pillow.new("L", (drawn["imageWidth"], drawn["imageHeight"]))
        for shape in drawn["shapes"]:
            ImageDraw.Draw(mask).polygon([tuple(p) for p in shape["points"]], fill=1)
        labelled.png(np.asarray(mask), tmp_path / "data" / "masks" / f"{path.stem}.png")
        images = tmp_path / "data" / "images"
        images.mkdir(exist_ok=True)
        (images / f"{path.stem}.jpg").symlink_to(source / "data" / f"{path.stem}.jpg")

    data = gathered(tmp_path / "data", {1: "pitting"})
    options = Options(steps=12, channels=(8, 16), patch=(64, 64), batch=2, learning_rate=0.01)
    model = train_model(data, tmp_path / "run", options, workers=0)

    assert model.dimensions == 2
    assert len(model.inputs) == 3
    losses = _losses(tmp_path / "run")
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_a_real_abdomen_is_learned_for_a_few_steps(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "ct_labelled" / "abdomen_3mm"
    for name, file in (
        ("a.nii.gz", "ct.nii.gz"),
        ("a_seg.nii.gz", "labels_v2_117classes_fast_model.nii.gz"),
    ):
        (tmp_path / name).symlink_to(source / file)
    table = json.loads((source / "labels_v2_117classes.json").read_text())
    data = gathered(tmp_path, {int(number): name for number, name in table.items()})
    options = Options(
        steps=3, channels=(4, 8, 16), patch=(16, 16, 16), spacing_mm=(6.0,), validation=0.0
    )

    model = train_model(data, tmp_path / "run", options, workers=0)

    assert model.modality == "CT"
    assert len(model.structures) == len(table)
    assert model.mirror == ()
    assert model.sampling.spacing_mm == (6.0, 6.0, 6.0)


def test_a_run_within_its_data_is_refused(ball_data: Path) -> None:
    from delineate.errors import OptionError
    from delineate.segmentation.command import train

    for out in (ball_data, ball_data / "run"):
        with pytest.raises(OptionError, match="lies in the data"):
            train(ball_data, out)
    assert not (ball_data / "plan.json").exists()
