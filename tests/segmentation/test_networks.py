from __future__ import annotations

from typing import Any

import pytest
import torch

from delineate.errors import ModelError
from delineate.segmentation.networks import ALLOWED, build_network

UNET: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 2,
    "channels": [4, 8],
    "strides": [2],
}
_NNUNET: dict[str, Any] = {
    "dimensions": 3,
    "input_channels": 1,
    "num_classes": 2,
    "features_per_stage": [4, 8],
    "kernel_sizes": [3, 3],
    "strides": [1, 2],
    "n_conv_per_stage_decoder": [1],
}
SMALL: dict[str, dict[str, Any]] = {
    "AttentionUnet": UNET,
    "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "DynUNet": {
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 2,
        "kernel_size": [3, 3, 3],
        "strides": [1, 2, 2],
        "upsample_kernel_size": [2, 2],
        "filters": [4, 8, 8],
        "deep_supervision": True,
    },
    "SegResNet": {},
    "SwinUNETR": {"in_channels": 1, "out_channels": 2, "feature_size": 12},
    "UNETR": {
        "in_channels": 1,
        "out_channels": 2,
        "img_size": [64, 64, 64],
        "hidden_size": 24,
        "mlp_dim": 24,
        "num_heads": 2,
        "feature_size": 4,
    },
    "UNet": UNET,
    "VNet": {"out_channels": 2, "act": ["elu", {"inplace": True}]},
    "PlainConvUNet": {**_NNUNET, "n_conv_per_stage": [1, 1]},
    "ResidualEncoderUNet": {**_NNUNET, "n_blocks_per_stage": [1, 1]},
}


@pytest.mark.parametrize("name", ALLOWED)
def test_every_allowed_network_gives_one_tensor_of_classes(name: str) -> None:
    network = build_network(name, SMALL[name]).eval()

    with torch.inference_mode():
        logits = network(torch.zeros(1, 1, 64, 64, 64))

    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, 2, 64, 64, 64)


def test_the_weights_of_a_built_network_are_there_and_not_imagined() -> None:
    for name in ALLOWED:
        built = build_network(name, SMALL[name])
        assert {value.device.type for value in built.state_dict().values()} == {"cpu"}


def test_a_network_outside_the_list_is_refused() -> None:
    with pytest.raises(ModelError, match="'Regressor' is not allowed; expected one of"):
        build_network("Regressor", {})


def test_an_unknown_argument_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="has no argument chanels"):
        build_network("UNet", {**UNET, "chanels": 3})


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("UNet", {"strides": []}),
        ("UNet", {"spatial_dims": "3"}),
        ("UNet", {"norm": {"instance": 1}}),
        ("UNet", {"act": "os.system"}),
        ("UNet", {"act": ["os.system", {"command": "touch canary"}]}),
        ("UNet", {"norm": ["subprocess.Popen", {}]}),
        ("VNet", {"act": ["elu", {"inlace": True}]}),
        ("PlainConvUNet", {"norm": "layer"}),
        ("PlainConvUNet", {"strides": [1]}),
        ("PlainConvUNet", {"kernel_sizes": [3, [3, 3]]}),
    ],
)
def test_values_that_the_network_refuses_are_a_model_error(
    name: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(ModelError, match="cannot be built"):
        build_network(name, {**SMALL[name], **changes})


def test_an_argument_that_json_cannot_have_is_refused() -> None:
    with pytest.raises(ModelError, match="not plain JSON"):
        build_network("UNet", {**UNET, "norm": print})


def test_an_argument_that_stands_for_a_class_is_refused() -> None:
    with pytest.raises(ModelError, match="has no argument norm_layer"):
        build_network("SwinUNETR", {**SMALL["SwinUNETR"], "norm_layer": "os.system"})


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("UNet", {"channels": [100_000_000, 100_000_000]}, "up to 100,000"),
        ("UNet", {"channels": [10**400, 1]}, "up to 100,000"),
        ("UNet", {"channels": [90_000, 90_000]}, "more than 2,000,000,000 weights"),
        ("UNet", {"num_res_units": 90_000}, "more than 2,000 layers"),
        ("SegResNet", {"blocks_down": [90_000]}, "more than 2,000 layers"),
        ("SwinUNETR", {"depths": [90_000] * 4}, "more than 2,000 layers"),
        ("SwinUNETR", {"window_size": 90_000}, "more than 2,000,000,000 weights"),
        ("UNETR", {"img_size": [90_000] * 3}, "more than 2,000,000,000 weights"),
        ("SegResNet", {"blocks_up": [1] * 100_000}, "entries, 1000 at most"),
        ("PlainConvUNet", {"features_per_stage": [90_000] * 2}, "2,000,000,000 weights"),
    ],
)
def test_absurd_sizes_are_refused_before_memory_is_taken(
    name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        build_network(name, {**SMALL[name], **changes})
