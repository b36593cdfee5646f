"""The network that a configuration of nnU-Net names, as arguments of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delineate.errors import ModelError

__all__ = ["read_network"]

_COUNTS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
_NORMS = {"InstanceNorm": "instance", "BatchNorm": "batch"}
_NONLINS = {"LeakyReLU": "leakyrelu", "ReLU": "relu"}
_WITHOUT_EFFECT = (
    *("n_stages", "conv_op", "dropout_op", "dropout_op_kwargs", "deep_supervision"),
    *("norm_op", "norm_op_kwargs", "nonlin", "nonlin_kwargs"),
)
_MOST_STAGES = 20


def read_network(configuration: Mapping[str, Any], dimensions: int) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the network, without the numbers of channels at its ends.

    Plans of today name a class and its arguments, older ones kernels and strides alone.

    Raises
    ------
    ModelError
        For any network but nnU-Net's two.
    """
    if "architecture" in configuration:
        architecture = configuration["architecture"]
        name = str(architecture["network_class_name"]).rpartition(".")[2]
        return _known(name), _of_today(name, architecture["arch_kwargs"], dimensions)
    name = _known(str(configuration["UNet_class_name"]))
    stages = len(configuration["n_conv_per_stage_encoder"])
    most, base = configuration["unet_max_num_features"], configuration["UNet_base_num_features"]
    if stages > _MOST_STAGES:
        raise ModelError(f"plans.json: expected at most {_MOST_STAGES} stages, got {stages}")
    return name, {
        "dimensions": dimensions,
        "features_per_stage": [min(int(base) * 2**stage, int(most)) for stage in range(stages)],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        _COUNTS[name]: configuration["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
    }


def _known(name: str) -> str:
    if name not in _COUNTS:
        raise ModelError(
            f"plans.json: the network {name} is not understood; expected {' or '.join(_COUNTS)}"
        )
    return name


def _of_today(name: str, given: Mapping[str, Any], dimensions: int) -> dict[str, Any]:
    stages = int(given["n_stages"])
    if not 1 < stages <= _MOST_STAGES:
        raise ModelError(f"plans.json: expected 2 to {_MOST_STAGES} stages, got {stages}")
    arguments: dict[str, Any] = {"dimensions": dimensions, **_layers(given, dimensions)}
    lengths = {
        "features_per_stage": stages,
        "kernel_sizes": stages,
        "strides": stages,
        _COUNTS[name]: stages,
        "n_conv_per_stage_decoder": stages - 1,
    }
    for key, length in lengths.items():
        value = given[key]
        arguments[key] = value if isinstance(value, list) else [value] * length
    own = ("nonlin_first", False) if name == "PlainConvUNet" else ("stem_channels", None)
    for key, default in (("conv_bias", False), own):
        arguments[key] = given.get(key, default)
    spare = set(given) - set(arguments) - set(_WITHOUT_EFFECT)
    if unknown := sorted(key for key in spare if given[key] is not None):
        raise ModelError(f"plans.json: {name} has {', '.join(unknown)}, which is not understood")
    return arguments


def _layers(given: Mapping[str, Any], dimensions: int) -> dict[str, Any]:
    """Classes of torch by name, compared with tables and never imported."""
    convolution = str(given["conv_op"]).rpartition(".")[2]
    norm = str(given.get("norm_op") or "").rpartition(".")[2]
    nonlin = str(given.get("nonlin") or "").rpartition(".")[2]
    kind = norm.removesuffix(f"{dimensions}d")
    if (
        convolution != f"Conv{dimensions}d"
        or nonlin not in _NONLINS
        or (norm and kind not in _NORMS)
    ):
        raise ModelError(
            f"plans.json: the layers {convolution}, {norm or 'no norm'}, {nonlin} are not "
            f"understood; expected Conv{dimensions}d, {' or '.join(_NORMS)}{dimensions}d, "
            f"{' or '.join(_NONLINS)}"
        )
    norm_options = dict(given.get("norm_op_kwargs") or {})
    nonlin_options = dict(given.get("nonlin_kwargs") or {})
    layers = {
        "norm": _NORMS[kind] if norm else None,
        "norm_eps": norm_options.pop("eps", 1e-5),
        # torch's own default differs between the two norms
        "affine": norm_options.pop("affine", kind == "BatchNorm"),
        "nonlin": _NONLINS[nonlin],
        "negative_slope": nonlin_options.pop("negative_slope", 0.01),
    }
    for without_effect in ("momentum", "inplace"):
        norm_options.pop(without_effect, None)
        nonlin_options.pop(without_effect, None)
    if norm_options or nonlin_options:
        raise ModelError(
            f"plans.json: {', '.join([*norm_options, *nonlin_options])} of norm or activation is "
            "not understood"
        )
    return layers
