"""A tiny model with random weights: quick, and as good as any for laws."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from delineate.segmentation.augment import Recipe
from delineate.segmentation.networks import build_network
from delineate.segmentation.publish import publish
from delineate.segmentation.train import Plan, unet_arguments


@pytest.fixture(scope="session")
def tiny_plan() -> Plan:
    recipe = Recipe(patch=(16, 16, 16), spacing_mm=18.0)
    return Plan(
        steps=20,
        batch=1,
        learning_rate=1e-2,
        warmup=2,
        checkpoint_every=5,
        recipe=recipe,
        arguments=unet_arguments((4, 8)),
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    network = build_network(tiny_plan.network, tiny_plan.arguments)
    folder = tmp_path_factory.mktemp("tiny")
    publish(network, tiny_plan, folder, {"steps": 0})
    return folder
