"""Networks by name and plain arguments; nothing a model folder says is ever executed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from delineate.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

ALLOWED: tuple[str, ...] = ("BasicUNet", "DynUNet", "SegResNet", "UNet")
"""Classes of `monai.networks.nets` that a model may name."""


def build_network(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a MONAI network with fresh weights.

    Parameters
    ----------
    name
        One of `ALLOWED`.
    arguments
        Keyword arguments as JSON has them: numbers, texts, lists and mappings.

    Raises
    ------
    ModelError
        If the name is not allowed, an argument is unknown, or MONAI refuses the values.
    """
    if name not in ALLOWED:
        raise ModelError(f"network {name!r} is not allowed; expected one of {', '.join(ALLOWED)}")
    from monai.networks import nets

    network = getattr(nets, name)
    known = set(inspect.signature(network.__init__).parameters) - {"self"}
    unknown = sorted(set(arguments) - known)
    if unknown:
        raise ModelError(f"{name} has no argument {', '.join(unknown)}; it has {sorted(known)}")
    try:
        built: nn.Module = network(**{key: _plain(value) for key, value in arguments.items()})
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{name} cannot be built from {dict(arguments)}: {error}") from error
    return built


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(each) for key, each in value.items()}
    raise ModelError(f"a network argument of type {type(value).__name__} is not plain JSON")
