"""Plain torch, layer by layer: the reference, on the CPU and on CUDA."""

from __future__ import annotations

import ctypes
import sys
from copy import deepcopy
from functools import lru_cache

import torch
from torch import nn

from delineate.segmentation.backends.quick_norms import with_quick_norms

__all__ = ["Eager", "Staging", "autocast_types", "channels_last", "keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 1 << 30


class Eager:
    """A network as torch runs it.

    Parameters
    ----------
    network
        Left as it is; its weights are shared where they need not be changed.
    device
        ``"cpu"`` or ``"cuda"``.
    dtype
        Of most layers' arithmetic: float32, or what ``torch.autocast`` should use. Logits are
        float32 whatever it is.
    batch
        See `Backend`.
    threads
        Of torch in this process, from now on.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        batch: int = 1,
        threads: int | None = None,
    ) -> None:
        self.device, self.batch, self._dtype = device, batch, dtype
        self.name = "torch" if dtype == torch.float32 else f"torch-{_SHORT[dtype]}"
        if threads is not None:
            torch.set_num_threads(threads)
        self.threads = torch.get_num_threads()
        self._half = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
        if device.type == "cpu":
            keep_freed_memory()
            self._network = with_quick_norms(network)
        else:
            self._network = channels_last(deepcopy(network).to(device))
        self._staging = Staging(device)

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """See `Backend.run`."""
        with torch.inference_mode(), self._half:
            answer: torch.Tensor = self._network(self._staging.bring(tiles))
            return answer.float()


_SHORT = {torch.bfloat16: "bf16", torch.float16: "fp16"}


class Staging:
    """Brings tiles to the device, on CUDA through memory that the card reads by itself."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pinned: torch.Tensor | None = None
        self._arrived: torch.cuda.Event | None = None

    def bring(self, tiles: torch.Tensor) -> torch.Tensor:
        """Tiles on the device, channels last there; on the CPU the tiles themselves."""
        if self._device.type == "cpu":
            return tiles
        if self._pinned is None or self._pinned.shape != tiles.shape:
            self._pinned = torch.empty_like(tiles, pin_memory=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        elif self._arrived is not None:
            self._arrived.synchronize()  # the last ones must have left before they are replaced
        self._pinned.copy_(tiles)
        brought = self._pinned.to(self._device, non_blocking=True)
        assert self._arrived is not None
        self._arrived.record(torch.cuda.current_stream(self._device))
        return brought.contiguous(memory_format=_LAYOUTS[brought.dim()])


_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(network: nn.Module) -> nn.Module:
    """Order the weights of a network, of two or three dimensions, as cards compute faster."""
    for weight in network.parameters():
        if weight.dim() in _LAYOUTS:
            weight.data = weight.data.contiguous(memory_format=_LAYOUTS[weight.dim()])
    return network


def autocast_types(device: torch.device) -> tuple[torch.dtype, ...]:
    """Half-precision types that the device computes faster than float32."""
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        types = (torch.float16, torch.bfloat16) if major >= 8 else (torch.float16,)
        return types if major >= 7 else ()
    return (torch.bfloat16,) if torch.cpu._is_amx_tile_supported() else ()


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let this process keep large blocks that were freed, for the next ones.

    The C library gives blocks above 32 MB back to the system at once. Each layer of a network
    then waits for the system to clear its output page by page, which takes longer than some
    layers: a quarter of the whole. Only for glibc; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
