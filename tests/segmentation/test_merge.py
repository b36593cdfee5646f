"""Merging slab by slab, against one sum over everything."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.segmentation.body import Box
from delineate.segmentation.card_merge import CardMerger
from delineate.segmentation.merge import Merger, in_parallel
from delineate.segmentation.tiles import tile_weights

TILE = (4, 5, 6)
CARD = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@st.composite
def _cases(draw: st.DrawFn) -> tuple[tuple[int, int, int], list[tuple[int, int, int]], int]:
    shape = tuple(draw(st.integers(t, t + 12)) for t in TILE)
    ranges = [st.integers(0, n - t) for n, t in zip(shape, TILE, strict=True)]
    corners = draw(st.lists(st.tuples(*ranges), min_size=1, max_size=8))
    return shape, sorted(corners), draw(st.integers(0, 2**31))  # type: ignore[return-value]


def _plain(
    shape: tuple[int, int, int], corners: list[tuple[int, int, int]], answers: torch.Tensor
) -> np.ndarray:
    """Sum of weight times logits over sum of weights; background where nothing is."""
    weight = tile_weights(TILE, "gaussian").astype(float)
    total, mass = np.zeros((answers.shape[1], *shape)), np.zeros(shape)
    for answer, corner in zip(answers.double().numpy(), corners, strict=True):
        box = tuple(slice(a, a + t) for a, t in zip(corner, TILE, strict=True))
        total[(slice(None), *box)] += weight * answer
        mass[box] += weight
    out = np.where(mass > 0, total / np.where(mass > 0, mass, 1), 0)
    out[0][mass == 0] = 1
    return np.moveaxis(out, 0, -1)


def _merged(
    shape: tuple[int, int, int],
    corners: list[tuple[int, int, int]],
    answers: torch.Tensor,
    threads: int = 1,
    on_card: bool = False,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Logits and codes of all slabs, and the largest number of slices held at once."""
    box: Box = ((0, shape[0]), (0, shape[1]), (0, shape[2]))
    weight = tile_weights(TILE, "gaussian")
    classes = answers.shape[1]
    merger: Merger | CardMerger = Merger(box, weight, classes, classes, False, threads)
    if on_card:  # the same arithmetic wherever torch computes
        merger = CardMerger(box, weight, classes, classes, False, CARD)
    logits, codes, held = [], [], 0
    for number, corner in enumerate([*corners, (shape[0], 0, 0)]):
        for slab in merger.take(corner[0]):
            fresh = slab.fresh - slab.first
            logits.append(slab.logits[fresh:].copy())
            codes.append(slab.code[fresh:].copy())
            held = max(held, len(slab.code))
            assert slab.last == (slab.stop == shape[0])
        if number < len(corners):
            merger.add(answers[number].to(CARD if on_card else "cpu"), corner)
    return np.concatenate(logits), np.concatenate(codes), held


@given(_cases(), st.booleans(), st.sampled_from((1, 3)), st.booleans())
def test_slabs_are_the_sum_over_everything(
    case: object, last: bool, threads: int, on_card: bool
) -> None:
    shape, corners, seed = case  # type: ignore[misc]
    generator = torch.Generator().manual_seed(seed)
    answers = torch.randn((len(corners), 3, *TILE), generator=generator)
    if last:  # as networks on the CPU may leave them in memory
        answers = answers.contiguous(memory_format=torch.channels_last_3d)

    logits, codes, held = _merged(shape, corners, answers, threads, on_card)

    plain = _plain(shape, corners, answers)
    np.testing.assert_allclose(logits, plain, atol=1e-5)
    np.testing.assert_array_equal(codes, logits.argmax(axis=-1))
    assert held <= TILE[0] + 2


@pytest.mark.parametrize("kind", [Merger, CardMerger])
def test_a_tile_outside_of_the_window_is_refused(kind: Any) -> None:
    last = 1 if kind is Merger else CARD
    merger = kind(((0, 20), (0, 5), (0, 6)), tile_weights(TILE, "constant"), 2, 2, False, last)

    for corner in ((9, 0, 0), (0, 1, 0), (-1, 0, 0)):
        with pytest.raises(ValueError, match="not within what is being merged"):
            merger.add(torch.zeros((2, *TILE)), corner)


def test_each_slab_begins_with_the_last_slice_of_the_one_before() -> None:
    corners = [(0, 0, 0), (3, 0, 0), (6, 0, 0)]
    answers = torch.randn((3, 2, *TILE), generator=torch.Generator().manual_seed(1))
    merger = Merger(((0, 10), (0, 5), (0, 6)), tile_weights(TILE, "constant"), 2, 2, False, 1)
    seen = []
    for number, corner in enumerate(corners):
        merger.add(answers[number], corner)
        seen += [
            (slab.first, slab.fresh, slab.stop, slab.logits[[0, -1]].copy())
            for slab in merger.take(([*corners, (10, 0, 0)])[number + 1][0])
        ]

    assert [each[:3] for each in seen] == [(0, 0, 3), (2, 3, 6), (5, 6, 10)]
    for before, after in pairwise(seen):
        np.testing.assert_array_equal(before[3][1], after[3][0])


@pytest.mark.parametrize("kind", [Merger, CardMerger])
def test_regions_hold_one_by_one(kind: Any) -> None:
    """Two regions, four samples: none, the first, the second, both."""
    logits = torch.tensor([[-1.0, 2.0, -3.0, 4.0], [-1.0, -2.0, 3.0, 4.0]]).reshape(2, 1, 1, 4)
    last = 1 if kind is Merger else CARD
    merger = kind(((0, 2), (0, 1), (0, 4)), np.ones((1, 1, 4), np.float32), 2, 2, True, last)
    merger.add(logits.to(CARD if kind is CardMerger else "cpu"), (0, 0, 0))

    slab = next(merger.take(2))

    assert slab.code[0].tolist() == [[0, 1, 2, 3]]
    assert slab.code[1].tolist() == [[0, 0, 0, 0]]  # no tile was there


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 6))
def test_parts_in_threads_are_all_of_it_once(count: int, threads: int) -> None:
    seen = np.zeros(count, int)

    def part(first: int, stop: int) -> None:
        seen[first:stop] += 1

    in_parallel(part, count, threads)

    assert (seen == 1).all()


def test_what_a_thread_raises_is_raised() -> None:
    def part(first: int, stop: int) -> None:
        raise ZeroDivisionError(first)

    with pytest.raises(ZeroDivisionError):
        in_parallel(part, 4, 2)
