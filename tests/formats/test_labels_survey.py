"""One look at a label map: which labels there are, and the box around them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from delineate.formats.labels import surveyed

shapes = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 40))
few = st.sampled_from((0, 0, 0, 0, 1, 7, 255))
many = st.sampled_from((0, 0, 0, 3, 300, 65535))


@given(
    st.one_of(
        arrays.arrays(np.uint8, shapes, elements=few, fill=st.just(0)),
        arrays.arrays(np.uint16, shapes, elements=many, fill=st.just(0)),
    )
)
def test_a_survey_finds_what_counting_finds(labels: np.ndarray) -> None:
    found, box = surveyed(labels)

    assert found == [label for label in np.unique(labels).tolist() if label]
    inside = np.argwhere(labels)
    low = inside.min(axis=0) if len(inside) else np.zeros(3, int)
    high = inside.max(axis=0) + 1 if len(inside) else np.zeros(3, int)
    assert box == tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))


def test_the_box_is_drawn() -> None:
    labels = np.zeros((3, 4, 20), np.uint8)
    labels[1, 2, 5:16] = 4
    labels[2, 1, 9] = 2

    assert surveyed(labels) == ([2, 4], (slice(1, 3), slice(1, 3), slice(5, 16)))
    assert surveyed(labels[:, :, ::-1]) == ([2, 4], (slice(1, 3), slice(1, 3), slice(4, 15)))
