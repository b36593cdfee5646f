"""What a network demands for one tile, without computing anything."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from delineate.errors import ModelError

__all__ = ["Demands", "demands"]


@dataclass(frozen=True, slots=True)
class Demands:
    """What one tile takes in plain torch.

    Parameters
    ----------
    flop
        Floating-point operations of convolutions and matrix products, two for each
        multiplication with its addition.
    peak_bytes
        Most bytes of layers' inputs and outputs alive at once, the tile and its logits included.
    weight_bytes
        Of parameters and buffers.
    """

    flop: int
    peak_bytes: int
    weight_bytes: int


def demands(network: nn.Module, tile: tuple[int, int, int, int]) -> Demands:
    """Foretell what one tile takes.

    Parameters
    ----------
    network
        Left as it is. Its layers are asked for the shapes of their answers and compute nothing.
    tile
        ``(channel, slice, row, column)``.

    Raises
    ------
    ModelError
        If the network cannot take such a tile; says what its layers say.

    Notes
    -----
    Scratch memory within a layer is not seen: a library may unfold the input of a convolution.
    """
    kept = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    weight_bytes = sum(each.nbytes for each in kept.values())
    shapes = {name: torch.empty_like(each, device="meta") for name, each in kept.items()}
    counter, living = FlopCounterMode(display=False), _Living()
    try:
        with torch.no_grad(), torch.device("meta"), counter, living:
            inputs = torch.empty((1, *tile))
            torch.func.functional_call(network, shapes, (inputs,))
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"the network does not take a tile of (channel, slice, row, column) {tile}: {first}"
        ) from error
    return Demands(int(counter.get_total_flops()), living.peak, weight_bytes)


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of tensors that are alive, and keeps the most there ever were."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation and note the memory of what it returns."""
        answer = func(*args, **(kwargs or {}))
        for each in tree_leaves(answer):
            if isinstance(each, torch.Tensor):
                self._note(each.untyped_storage())
        return answer

    def _note(self, storage: torch.UntypedStorage) -> None:
        name = id(storage)
        if name in self._seen:
            return
        self._seen.add(name)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, name, size).atexit = False

    def _forget(self, name: int, size: int) -> None:
        self._seen.discard(name)
        self.now -= size
