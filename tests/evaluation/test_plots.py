"""Plots of scores: laws of their axes and dots."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.evaluation.plots import Row, distributions, ticks


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_round_few_and_around_the_values(low: float, size: float) -> None:
    marks = ticks(low, low + size)

    assert 2 <= len(marks) <= 10
    slack = 1e-6 * max(1, abs(low) + size)
    assert marks[0] - slack <= low
    assert low + size <= marks[-1] + slack
    assert marks == sorted(set(marks))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_every_case_is_a_dot_within_its_row(values: list[float]) -> None:
    svg = distributions([Row("liver", np.array(values))], "1", "Dice")

    dots = re.findall(r"M([\d.]+) ([\d.]+)h0", svg)

    assert len(dots) == len(values)
    assert all(8 <= float(y) <= 34 for _, y in dots)
