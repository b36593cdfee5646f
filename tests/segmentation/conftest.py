"""A tiny model with random weights, good for laws; small data sets, and runs that learned them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import labelled
import pytest

from delineate.phantom.store import store_torso
from delineate.segmentation.training.organ_cases import PhantomCase
from delineate.segmentation.training.organ_patches import Recipe
from delineate.segmentation.training.organs import Plan, Stage, publish, unet_arguments
from delineate.segmentation.training.run import gathered, train_model
from delineate.segmentation.training.trainer import fresh_network


@pytest.fixture(scope="session")
def tiny_plan() -> Plan:
    return Plan(
        stages=(Stage(name="model", seconds=1.0, learning_rate=1e-2),),
        batch=1,
        warmup=2,
        recipe=Recipe(patch=(16, 16, 16), spacing_mm=18.0),
        arguments=unet_arguments((4, 8)),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=3)
    folder = tmp_path_factory.mktemp("tiny")
    publish(network.state_dict(), tiny_plan, folder, {"steps": 0})
    return folder


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> list[PhantomCase]:
    folder = tmp_path_factory.mktemp("bodies")
    paths = [store_torso(folder, seed, (14, 12, 12), (-420, 260)) for seed in range(2)]
    return [PhantomCase.read(path) for path in paths]


@pytest.fixture(scope="session")
def ball_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.balls_folder(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="session")
def disc_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.discs_folder(tmp_path_factory.mktemp("discs"))


@pytest.fixture(scope="session")
def ball_run(ball_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ball-run")
    train_model(gathered(ball_data), folder, replace(labelled.SMALL, validate_every=30), workers=0)
    return folder


@pytest.fixture(scope="session")
def disc_run(disc_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc-run")
    train_model(gathered(disc_data), folder, labelled.FLAT, workers=0)
    return folder
