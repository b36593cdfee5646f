"""Compile the loops of this package to machine code.

Modules named ``*_kernel`` hold them. Those import numba, so they are imported inside the functions
that need them: ``import delineate.contour`` stays quick. The first call of a kernel compiles it
for a second or two and keeps the machine code beside the source (``__pycache__``), or in numba's
folder of the user where that cannot be written, or where ``NUMBA_CACHE_DIR`` says; later processes
load it in milliseconds. Where nothing can be written, each process compiles for itself.

A kernel calls only kernels of its own module: numba knows a kept one to be stale by its own
file's date and size alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["kernel"]

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Compile on first call, one version per dtype; runs without the interpreter lock."""
    try:
        return cast("Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # no folder that could be written
        return cast("Function", numba.njit(nogil=True)(function))
