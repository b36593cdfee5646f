"""What runs a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

__all__ = ["Backend"]


class Backend(Protocol):
    """A network made ready to run on tiles of one shape."""

    @property
    def name(self) -> str:
        """Such as ``"torch"`` or ``"openvino"``."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the logits come out."""
        ...

    @property
    def threads(self) -> int:
        """Threads that it computes with on the CPU."""
        ...

    @property
    def batch(self) -> int:
        """Tiles that it computes side by side; more or fewer are taken, but are no faster."""
        ...

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """Logits of some tiles.

        Parameters
        ----------
        tiles
            float32 ``(tile, channel, slice, row, column)`` on the CPU, contiguous.

        Returns
        -------
        Tensor
            float32 ``(tile, class, slice, row, column)`` on `device`. May be overwritten by the
            next call.

        Raises
        ------
        OutOfMemoryError
            Of torch, if the graphics card has too little memory.
        RuntimeError
            If the machine has.
        """
        ...
