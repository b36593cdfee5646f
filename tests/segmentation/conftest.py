"""A tiny model with random weights, good for laws; small data sets, and runs that learned them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import labelled
import pytest

from delineate.segmentation.training.organ_patches import Recipe
from delineate.segmentation.training.organs import Plan, publish, unet_arguments
from delineate.segmentation.training.run import gathered, train_model
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import fresh_network


@pytest.fixture(scope="session")
def tiny_plan() -> Plan:
    return Plan(
        schedule=Schedule(steps=20, batch=1, learning_rate=1e-2, warmup=2, checkpoint_every=5),
        recipe=Recipe(patch=(16, 16, 16), spacing_mm=18.0),
        arguments=unet_arguments((4, 8)),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=3)
    folder = tmp_path_factory.mktemp("tiny")
    publish(network, tiny_plan, folder, {"steps": 0})
    return folder


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
