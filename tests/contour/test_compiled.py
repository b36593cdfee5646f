"""Compiling where machine code cannot be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from delineate.contour.compiled import kernel


def test_without_a_folder_to_write_to_each_process_compiles_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = numba.njit

    def njit(cache: bool = False, **options: bool) -> Callable[..., object]:
        if cache and "nogil" in options:  # numba itself asks for less
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(numba, "njit", njit)

    @kernel
    def twice(number: int) -> int:
        return 2 * number

    assert twice(21) == 42


def test_machine_code_is_kept_where_it_is_told_to(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from delineate.contour import fill;"
        "from delineate.imaging import Grid; fill([], Grid.regular((1, 2, 2)))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    assert list(tmp_path.rglob("fill_kernel.paint-*.nbc"))
