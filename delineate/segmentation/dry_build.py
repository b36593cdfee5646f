"""Build a network without memory, to see how large it would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from delineate.errors import ModelError

__all__ = ["dry_build"]


def dry_build(
    network: Callable[..., torch.nn.Module],
    arguments: Mapping[str, Any],
    most_parameters: int,
    most_layers: int,
) -> None:
    """Build a network on torch's meta device, where tensors have shapes and no content.

    Raises
    ------
    ModelError
        If it has more weights, or more layers, than allowed.
    """
    with torch.device("meta"), _Meter(most_parameters, most_layers):
        network(**arguments)


class _Meter(TorchFunctionMode):
    """Counts what is allocated, and stops a network that never ends."""

    def __init__(self, most_parameters: int, most_layers: int) -> None:
        super().__init__()
        self.most_parameters = most_parameters
        self.most_layers = most_layers
        self.numbers = 0
        self.tensors = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call ``func`` and count the sizes of what it makes."""
        kwargs = dict(kwargs or {})
        if func is torch.linspace:  # rates of layers, read one by one: they need content
            self._count(kwargs["steps"] if "steps" in kwargs else args[2], 0)
            kwargs["device"] = "cpu"
        result = func(*args, **kwargs)
        if func in _FACTORIES:
            self._count(1, result.numel())
        return result

    def _count(self, tensors: int, numbers: int) -> None:
        self.tensors += tensors
        self.numbers += numbers
        if self.numbers > self.most_parameters:
            raise ModelError(
                f"the network would have more than {self.most_parameters:,} weights; check the "
                "numbers of channels in its arguments"
            )
        if self.tensors > _TENSORS_A_LAYER * self.most_layers:
            raise ModelError(
                f"the network would have more than {self.most_layers:,} layers; check the numbers "
                "of blocks in its arguments"
            )


_TENSORS_A_LAYER = 4
_FACTORIES = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full}
