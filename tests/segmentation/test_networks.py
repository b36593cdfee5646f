from __future__ import annotations

import pytest
import torch

from delineate.errors import ModelError
from delineate.segmentation.networks import build_network
from delineate.segmentation.training.organs import unet_arguments


def test_an_allowed_network_is_built_as_described() -> None:
    network = build_network("UNet", unet_arguments((4, 8)))

    assert network(torch.zeros(1, 2, 8, 8, 8)).shape == (1, 14, 8, 8, 8)


def test_a_network_outside_the_list_is_refused() -> None:
    with pytest.raises(ModelError, match="'Regressor' is not allowed; expected one of"):
        build_network("Regressor", {})


def test_an_unknown_argument_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="has no argument chanels"):
        build_network("UNet", {**unet_arguments(), "chanels": 3})


def test_values_that_monai_refuses_are_a_model_error() -> None:
    with pytest.raises(ModelError, match="cannot be built"):
        build_network("UNet", {**unet_arguments(), "strides": []})


def test_an_argument_that_is_no_json_is_refused() -> None:
    with pytest.raises(ModelError, match="not plain JSON"):
        build_network("UNet", {**unet_arguments(), "norm": print})
