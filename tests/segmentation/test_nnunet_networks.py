"""nnU-Net's networks give what nnU-Net's own package gives with the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from delineate.segmentation.networks import build_network
from delineate.segmentation.nnunet_networks import single_names

unet = pytest.importorskip(
    "dynamic_network_architectures.architectures.unet",
    reason="compares with dynamic_network_architectures, which is not installed",
)
pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:`torch.jit")

_LAYERS: dict[int, dict[str, Any]] = {
    2: {"conv": nn.Conv2d, "instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d},
    3: {"conv": nn.Conv3d, "instance": nn.InstanceNorm3d, "batch": nn.BatchNorm3d},
}


def _pair(kind: str, arguments: dict[str, Any]) -> tuple[nn.Module, nn.Module]:
    """The package's network, and ours with its weights."""
    layers = _LAYERS[arguments["dimensions"]]
    norm, leaky = arguments.get("norm", "instance"), arguments.get("nonlin") != "relu"
    moved = ("dimensions", "norm", "nonlin")
    theirs = getattr(unet, kind)(
        **{key: value for key, value in arguments.items() if key not in moved},
        n_stages=len(arguments["features_per_stage"]),
        conv_op=layers["conv"],
        norm_op=layers[norm],
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU if leaky else nn.ReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
    ).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # norms too, whose weights start as 1 and 0
            parameter.add_(torch.randn_like(parameter) * 0.1)
    ours = build_network(kind, arguments).eval()
    ours.load_state_dict(single_names(theirs.state_dict()))
    return theirs, ours


def _arguments(kind: str, dimensions: int, **more: Any) -> dict[str, Any]:
    counts = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "dimensions": dimensions,
        "input_channels": 2,
        "num_classes": 3,
        "features_per_stage": [4, 6, 6],
        "kernel_sizes": [3, 3, 3],
        "strides": [1, 2, 2],
        counts: [2, 1, 2],
        "n_conv_per_stage_decoder": [1, 2],
        "conv_bias": True,
        **more,
    }


def _differ(theirs: nn.Module, ours: nn.Module, shape: tuple[int, ...]) -> float:
    torch.manual_seed(1)
    values = torch.randn(2, 2, *shape)
    with torch.inference_mode():
        expected, got = theirs(values), ours(values)
    assert got.shape == expected.shape
    return float((got - expected).abs().max() / expected.abs().max())


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["PlainConvUNet", "ResidualEncoderUNet"]),
    dimensions=st.sampled_from([2, 3]),
    bias=st.booleans(),
    norm=st.sampled_from(["instance", "batch"]),
    nonlin=st.sampled_from(["leakyrelu", "relu"]),
    features=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    counts=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    stride=st.sampled_from([1, 2]),
)
def test_the_same_weights_give_the_same_numbers(
    kind: str,
    dimensions: int,
    bias: bool,
    norm: str,
    nonlin: str,
    features: list[int],
    counts: list[int],
    stride: int,
) -> None:
    more = {
        "conv_bias": bias,
        "norm": norm,
        "nonlin": nonlin,
        "features_per_stage": features,
        "strides": [1, stride, 2],
        ("n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"): counts,
    }
    theirs, ours = _pair(kind, _arguments(kind, dimensions, **more))

    assert _differ(theirs, ours, (8,) * dimensions) < 1e-5


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_anisotropic_kernels_and_strides_give_the_same_numbers(kind: str) -> None:
    kernels, strides = [[1, 3, 3], [1, 3, 3], [3, 3, 3]], [[1, 1, 1], [1, 2, 2], [2, 2, 1]]
    theirs, ours = _pair(kind, _arguments(kind, 3, kernel_sizes=kernels, strides=strides))

    assert _differ(theirs, ours, (6, 12, 10)) < 1e-5


def test_the_order_of_norm_and_activation_is_followed() -> None:
    theirs, ours = _pair("PlainConvUNet", _arguments("PlainConvUNet", 3, nonlin_first=True))

    assert _differ(theirs, ours, (8, 8, 8)) < 1e-5


def test_a_stem_of_its_own_width_is_followed() -> None:
    theirs, ours = _pair(
        "ResidualEncoderUNet", _arguments("ResidualEncoderUNet", 2, stem_channels=5)
    )

    assert _differ(theirs, ours, (16, 16)) < 1e-5


@pytest.mark.parametrize("kind", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_networks_can_be_traced_and_compiled(kind: str) -> None:
    _, ours = _pair(kind, _arguments(kind, 3))
    values = torch.randn(1, 2, 8, 8, 8)

    with torch.inference_mode():
        traced = torch.jit.trace(ours, values)
        whole = torch.compile(ours, backend="eager", fullgraph=True)  # no break in the graph
        expected = ours(values)
        assert torch.equal(traced(values), expected)
        assert torch.equal(whole(values), expected)


def test_weights_are_kept_once_with_the_last_head() -> None:
    theirs, ours = _pair("PlainConvUNet", _arguments("PlainConvUNet", 3))
    kept = single_names(
        {f"module.{name}": value for name, value in theirs.state_dict().items()}  # as of DDP
    )

    assert set(kept) == set(ours.state_dict())
    assert "decoder.seg_layers.1.weight" in kept
    assert "decoder.seg_layers.0.weight" not in kept


def test_one_weight_with_two_values_is_refused() -> None:
    theirs, _ = _pair("PlainConvUNet", _arguments("PlainConvUNet", 2))
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    state["decoder.encoder.stages.0.0.convs.0.conv.bias"] += 1

    with pytest.raises(ValueError, match="are one weight, but differ"):
        single_names(state)
