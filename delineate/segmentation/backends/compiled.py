"""Torch's own compiler: worth its minute only where many volumes follow."""

from __future__ import annotations

import os
import shutil
import warnings
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from delineate.segmentation.backends.eager import Staging, autocast_types, channels_last

__all__ = ["Compiled", "compiler_found"]


class Compiled:
    """A network through ``torch.compile``, for one shape.

    Parameters
    ----------
    network
        Left as it is.
    tile
        ``(channel, slice, row, column)``.
    device
        ``"cpu"``: float32. ``"cuda"``: in half precision where the card has it, and replayed as
        a CUDA graph.
    folder
        Where compiled code is kept, or ``None``.
    batch, threads
        See `Backend`. On CUDA, fewer tiles are filled up to a batch.
    """

    name = "compile"

    def __init__(
        self,
        network: nn.Module,
        tile: tuple[int, int, int, int],
        device: torch.device,
        folder: Path | None,
        *,
        batch: int = 1,
        threads: int | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        if folder is not None:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
        self.device, self.threads = device, torch.get_num_threads()
        self.batch = batch if device.type == "cuda" else 1
        half = autocast_types(device)[-1:] if device.type == "cuda" else ()
        self._half = torch.autocast(device.type, half[0] if half else None, enabled=bool(half))
        mode = "reduce-overhead" if device.type == "cuda" else None
        own = deepcopy(network).to(device)
        if device.type == "cuda":
            own = channels_last(own)
        self._staging = Staging(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about itself
            self._network = torch.compile(own, dynamic=False, mode=mode)
            self.run(torch.zeros((self.batch, *tile)))

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        with torch.inference_mode(), self._half:
            starts = range(0, len(tiles), self.batch)
            parts = [self._run(tiles[start : start + self.batch]) for start in starts]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run(self, tiles: torch.Tensor) -> torch.Tensor:
        lacking = self.batch - len(tiles)
        full = torch.cat([tiles, tiles[-1:].expand(lacking, -1, -1, -1, -1)]) if lacking else tiles
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        answer: torch.Tensor = self._network(self._staging.bring(full))
        answer = answer[: len(tiles)].float()
        return answer.clone() if self.device.type == "cuda" else answer


def compiler_found() -> str | None:
    """Name of the C++ compiler that would be used, or ``None``."""
    named = os.environ.get("CXX")
    for name in (named, "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    return None
