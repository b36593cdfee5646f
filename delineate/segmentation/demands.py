"""What a network demands for one tile, without computing anything."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from delineate.errors import ModelError
from delineate.segmentation.backends.builders import built_by
from delineate.segmentation.backends.cache import Cache, key_of, private_folder

__all__ = ["Demands", "demands", "keep_demands", "kept_demands"]

_FORMULA, _FILE = 1, "demands.json"  # raise it with what `demands` counts
_BLOCK = 16
_LEAST_FOR_ONEDNN = 20480


@dataclass(frozen=True, slots=True)
class Demands:
    """What one tile takes in plain torch.

    Parameters
    ----------
    flop
        Floating-point operations of convolutions and matrix products, two for each
        multiplication with its addition.
    peak_bytes
        Most bytes of layers' inputs and outputs alive at once, the tile and its logits included,
        with what a convolution unfolds or rearranges on the CPU.
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
    """
    kept = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    weight_bytes = sum(each.nbytes for each in kept.values())
    shapes = {name: torch.empty_like(each, device="meta") for name, each in kept.items()}
    counter, living = FlopCounterMode(display=False), _Living()
    try:
        with torch.no_grad(), torch.device("meta"), counter, living:
            inputs = torch.empty((1, *tile))
            answer = torch.func.functional_call(network, shapes, (inputs,))
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"the network does not take a tile of (channel, slice, row, column) {tile}: {first}"
        ) from error
    if tuple(answer.shape[2:]) != tile[1:]:
        raise ModelError(
            f"the network answers a tile of (slice, row, column) {tile[1:]} with "
            f"{tuple(answer.shape[2:])}; choose sizes that its strides divide"
        )
    return Demands(int(counter.get_total_flops()), living.peak, weight_bytes)


def kept_demands(name: str, tile: tuple[int, int, int, int]) -> Demands | None:
    """What is kept of a network: a process that only asks once need not build it.

    Parameters
    ----------
    name
        Two networks of one name are the same.
    tile
        ``(channel, slice, row, column)``.
    """
    known = Cache(private_folder()).find(_entry(name, tile))
    return None if known is None else Demands(**json.loads((known / _FILE).read_text()))


def keep_demands(found: Demands, name: str, tile: tuple[int, int, int, int]) -> None:
    """Keep what a network demands; parameters as for `kept_demands`."""

    def write(folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(found)))

    Cache(private_folder()).keep(_entry(name, tile), write)


def _entry(name: str, tile: tuple[int, int, int, int]) -> str:
    parts = {"name": name, "tile": tile, "formula": _FORMULA, "versions": built_by()}
    return f"demands-{key_of(parts)}"


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
        if func is torch.ops.aten.convolution.default:
            transposed = bool(args[6])
            self.peak = max(self.peak, self.now + _scratch(args[0], args[1], answer, transposed))
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


def _scratch(
    inputs: torch.Tensor, weight: torch.Tensor, answer: torch.Tensor, transposed: bool
) -> int:
    """Bytes that torch takes and frees within one convolution on the CPU.

    Large ones are oneDNN's, which works on copies with channels in blocks of 16; small ones and
    transposed ones are matrix products with the samples around each place side by side. The line
    between them is that of ``use_mkldnn`` in ATen's Convolution.cpp.
    """
    taps = prod(weight.shape[2:])
    if transposed:
        return 4 * answer.shape[1] * taps * prod(inputs.shape[2:])
    if prod(inputs.shape[:4]) <= _LEAST_FOR_ONEDNN and inputs.shape[0] == 1:
        return 4 * inputs.shape[1] * taps * prod(answer.shape[2:])
    return sum(4 * each.shape[0] * _blocked(each) for each in (inputs, answer))


def _blocked(tensor: torch.Tensor) -> int:
    return -(-tensor.shape[1] // _BLOCK) * _BLOCK * prod(tensor.shape[2:])
