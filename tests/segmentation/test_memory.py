"""What a run is expected to take, and what there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.segmentation.memory import available_bytes, smaller_tile

SIDES = st.sampled_from((1, 16, 28, 48, 56, 64, 80, 96, 112, 128, 160, 192))


@given(st.tuples(SIDES, SIDES, SIDES))
def test_tiles_shrink_step_by_step_and_stay_divisible(tile: tuple[int, int, int]) -> None:
    seen = [tile]
    while (smaller := smaller_tile(seen[-1])) is not None:
        assert sum(a != b for a, b in zip(seen[-1], smaller, strict=True)) == 1
        for first, before, after in zip(tile, seen[-1], smaller, strict=True):
            assert min(16, first) <= after <= before
            step = min(32, first & -first)
            assert after % step == 0 or after == before
        seen.append(smaller)
    assert len(seen) < 20


def test_tiles_shrink_by_hand() -> None:
    assert smaller_tile((96, 96, 96)) == (64, 96, 96)
    assert smaller_tile((48, 48, 56)) == (48, 48, 32)
    assert smaller_tile((1, 256, 192)) == (1, 128, 192)
    assert smaller_tile((16, 16, 16)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of memory")
def test_what_is_free_is_less_than_what_there_is() -> None:
    free = available_bytes()

    assert free is not None
    assert 0 < free < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import json, resource\n"
        "from delineate.segmentation.memory import available_bytes\n"
        "before = available_bytes()\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))\n"
        "held = bytearray(1 << 30)\n"
        "print(json.dumps([before, available_bytes()]))"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    _, within = json.loads(answer.stdout)
    assert 0 < within < 3 << 30
