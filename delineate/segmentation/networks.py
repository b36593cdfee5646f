"""Networks by name and plain arguments; nothing a model folder says is ever executed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from delineate.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["ALLOWED", "SCORING", "build_network"]

OWN: tuple[str, ...] = ("PlainConvUNet", "ResidualEncoderUNet")
"""Classes of `nnunet_networks` that a model may name."""

ALLOWED: tuple[str, ...] = (
    "AttentionUnet",
    "BasicUNet",
    "DynUNet",
    "SegResNet",
    "SwinUNETR",
    "UNETR",
    "UNet",
    "VNet",
    *OWN,
)
"""All that a model may name: the others are of `monai.networks.nets`.

All give one tensor when they infer. MONAI's arguments that name activations, norms, poolings and
the like are looked up in tables; none imports or runs what a text says.
"""

SCORING: tuple[str, ...] = ("TextureMemory",)
"""What a model that finds anomalies may name: one score for each sample of a picture."""

_MOST_PARAMETERS = 2_000_000_000
_MOST_LAYERS = 2_000
_LARGEST_INTEGER = 100_000
_LONGEST_LIST = 1_000
_REFUSED = {"SwinUNETR": {"norm_layer"}}  # a class, which JSON cannot name


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a network with fresh weights.

    Parameters
    ----------
    name
        One of `ALLOWED` or `SCORING`.
    arguments
        Keyword arguments as JSON has them: numbers, texts, lists and mappings.

    Raises
    ------
    ModelError
        If the name is not allowed, an argument is unknown, the values are refused, or the network
        would have more than two thousand million weights; nothing of that size is allocated.
    """
    if name not in (*ALLOWED, *SCORING):
        raise ModelError(f"network {name!r} is not allowed; expected one of {', '.join(ALLOWED)}")
    network = _class(name)
    known = set(inspect.signature(network.__init__).parameters) - {"self"}
    known -= _REFUSED.get(name, set())
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise ModelError(f"{name} has no argument {', '.join(unknown)}; it has {sorted(known)}")
    plain = {key: _plain(value) for key, value in arguments.items()}
    from delineate.segmentation.dry_build import dry_build

    try:
        dry_build(network, plain, _MOST_PARAMETERS, _MOST_LAYERS)
        built: nn.Module = network(**plain)
    except ModelError:
        raise
    except Exception as error:  # networks raise what they like about values they cannot have
        text = str(dict(arguments))
        text = text if len(text) < 2000 else text[:2000] + " ..."
        raise ModelError(f"{name} cannot be built from {text}: {error}") from error
    return built


def _class(name: str) -> Any:
    if name in SCORING:
        from delineate.segmentation.texture_memory import TextureMemory

        return TextureMemory
    if name in OWN:
        from delineate.segmentation import nnunet_networks

        return getattr(nnunet_networks, name)
    from monai.networks import nets

    return getattr(nets, name)


def _plain(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise ModelError(f"expected network arguments up to {_LARGEST_INTEGER:,}, got a larger one")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) and len(value) > _LONGEST_LIST:
        raise ModelError(f"a network argument has {len(value)} entries, {_LONGEST_LIST} at most")
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(each) for key, each in value.items()}
    raise ModelError(f"a network argument of type {type(value).__name__} is not plain JSON")
