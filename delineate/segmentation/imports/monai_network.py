"""The network that a MONAI bundle names, in today's arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from delineate.errors import ModelError
from delineate.segmentation.imports.monai_config import Config, bare_name
from delineate.segmentation.networks import ALLOWED, OWN

if TYPE_CHECKING:
    import torch

__all__ = ["count", "read_network", "without_supervision"]

_OBSOLETE: dict[str, dict[str, str | None]] = {
    "SwinUNETR": {"img_size": None},
    "UNet": {"dimensions": "spatial_dims"},
    "BasicUNet": {"dimensions": "spatial_dims"},
    "DynUNet": {"deep_supervision": None, "deep_supr_num": None},
    "UNETR": {"pos_embed": "proj_type"},
    "SegResNet": {"use_vae": None},
}
"""Arguments of older MONAI by network: what they are called now; ``None``: without effect here.

Heads of deep supervision only matter in training, and are dropped with their weights.
"""

_ENDS = {"BasicUNet": (1, 2), "SegResNet": (1, 2), "VNet": (1, 1)}
"""Channels in and out that a network of MONAI has unless it is told others."""

_SUPERVISION = re.compile(r"^deep_supervision_heads\.|\.super_head\.")
_MOST_CHANNELS = 1000


def read_network(config: Config) -> tuple[str, dict[str, Any]]:
    """Name and arguments of ``network_def``, or of ``network`` where there is none.

    Raises
    ------
    ModelError
        If it is none of MONAI's that are allowed, or needs an expression.
    """
    key = "network_def" if config.has("network_def") else "network"
    described = config.raw(key)
    if not isinstance(described, dict):
        config.plain(key)
        raise ModelError(f"{key} describes no network")
    name = bare_name(described.get("_target_"), key)
    if name not in set(ALLOWED) - set(OWN):
        raise ModelError(
            f"{key} is {name}, which is none of {', '.join(sorted(set(ALLOWED) - set(OWN)))}"
        )
    obsolete = _OBSOLETE.get(name, {})
    arguments: dict[str, Any] = {}
    for argument in described:
        if argument.startswith("_"):
            continue
        now = obsolete.get(argument, argument)
        if now is not None:
            arguments[now] = config.plain(f"{key}#{argument}")
    for end, default in zip(("in_channels", "out_channels"), _ENDS.get(name, ()), strict=False):
        arguments.setdefault(end, default)
    if arguments.get("spatial_dims", 3) != 3:
        raise ModelError(f"{key} is for pictures; bundles of 3-D networks alone are read")
    return name, arguments


def count(arguments: Mapping[str, Any], name: str) -> int:
    """A number of channels; ModelError for what is none."""
    value = arguments.get(name)
    if not isinstance(value, int) or not 0 < value <= _MOST_CHANNELS:
        raise ModelError(f"expected {name} from 1 to {_MOST_CHANNELS}, got {value!r}")
    return value


def without_supervision(network: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights without those of the heads that a `DynUNet` only has to be trained."""
    return {
        key: value
        for key, value in state.items()
        if network != "DynUNet" or not _SUPERVISION.search(key)
    }
