"""Decimal strings by the million mean what Python's own numbers mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from delineate.formats.decimals import from_text, to_text

FORMATS = ("%r", "%.3f", "%+.6e", "%.10g", "%.17g", " %g ", "%012.4f", "%E")


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.sampled_from(FORMATS)), min_size=1))
def test_every_number_is_the_double_nearest_to_its_text(parts: list[tuple[float, str]]) -> None:
    texts = [how % number for number, how in parts]

    numbers = from_text("\\".join(texts).encode())

    np.testing.assert_array_equal(numbers, [float(text) for text in texts])


@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-99999999, 99999999)))
@settings(max_examples=200)
def test_numbers_come_back_to_a_millionth_in_sixteen_characters(numbers: np.ndarray) -> None:
    text = to_text(numbers)

    assert max(map(len, text.split(b"\\"))) <= 16
    np.testing.assert_allclose(from_text(text), numbers, atol=5.1e-7, rtol=1e-15)


def test_numbers_are_written_short() -> None:
    numbers = np.array([0.0, -0.0, -1e-7, 1.0, 10.0, -1234.5, 99999999.999999, 1e-6, -0.8])

    assert to_text(numbers) == rb"0\0\0\1\10\-1234.5\99999999.999999\0.000001\-0.8"


def test_odd_text_is_read_and_nonsense_is_not() -> None:
    np.testing.assert_array_equal(
        from_text(b"1 \\ +2\\3.\\.5\\1e2\\-1E-3\\ \0"), [1, 2, 3, 0.5, 100, -1e-3]
    )
    np.testing.assert_array_equal(from_text(b"1,5\\2"), [1.5, 2])
    np.testing.assert_array_equal(
        from_text(b"12345678901234567890.5\\1e300"), [12345678901234567890.5, 1e300]
    )
    assert from_text(b" \0").size == 0
    for text in (b"1\\\\2", b"abc", b"1 2", b"-", b"1e", b"1.2.3", b"1_0", b"0x1"):
        with pytest.raises(ValueError, match=r"convert|expected numbers"):
            from_text(text)
    with pytest.raises(ValueError, match="below"):
        to_text(np.array([1e8]))
    with pytest.raises(ValueError, match="below"):
        to_text(np.array([np.nan]))
