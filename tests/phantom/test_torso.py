"""Phantoms against laws, against anatomy books, and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage as ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.imaging import Image, LabelMap
from delineate.phantom import (
    STRUCTURE_OF_TISSUE,
    STRUCTURES,
    Body,
    Phase,
    Tissue,
    draw_attenuation,
    label,
    paint_torso,
    torso,
)

COARSE = (10.0, 7.0, 7.0)
SEEDS = range(20, 32)


@pytest.fixture(scope="module")
def bodies() -> list[LabelMap]:
    return [label(paint_torso(seed, COARSE)) for seed in SEEDS]


@pytest.fixture(scope="module")
def patient() -> tuple[Image, LabelMap]:
    return torso(8, (8.0, 5.0, 5.0), phase=Phase.PORTAL)


def _number(name: str) -> int:
    return STRUCTURES.index(name)


def _volume_ml(labels: LabelMap, name: str) -> float:
    return float(labels.mask(_number(name)).sum()) * labels.grid.voxel_size / 1000


def _centre(labels: LabelMap, name: str) -> np.ndarray:
    indices = np.argwhere(labels.mask(_number(name)))
    return labels.grid.to_world(indices.mean(axis=0))


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**31))
def test_one_seed_gives_one_patient(seed: int) -> None:
    first, first_labels = torso(seed, (25.0, 18.0, 18.0))
    second, second_labels = torso(seed, (25.0, 18.0, 18.0))

    np.testing.assert_array_equal(first.array, second.array)
    np.testing.assert_array_equal(first_labels.array, second_labels.array)


def test_different_seeds_give_different_patients(bodies: list[LabelMap]) -> None:
    livers = {_volume_ml(body, "liver") for body in bodies}

    assert len(livers) == len(bodies)


def test_one_seed_gives_one_body_on_every_grid() -> None:
    coarse, fine = label(paint_torso(3, (12, 8, 8))), label(paint_torso(3, (8, 5, 5)))

    for name in ("liver", "lung_left", "spleen"):
        expected = pytest.approx(_volume_ml(fine, name), rel=0.12)
        assert _volume_ml(coarse, name) == expected
        assert np.linalg.norm(_centre(coarse, name) - _centre(fine, name)) < 4


@pytest.mark.parametrize("extent_mm", [(-700, -600), (-390, -370), (0, 12), (400, 560)])
def test_any_part_of_a_body_can_be_painted(extent_mm: tuple[float, float]) -> None:
    body = paint_torso(4, (11.0, 12.0, 12.0), extent_mm)

    assert body.tissue.any()


# Normal adults lie within these (ICRP Publication 89 and the series named in `anatomy`); the
# phantoms are meant to be a little more varied.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("liver", 750, 2900),
        ("spleen", 50, 420),
        ("kidney_left", 60, 300),
        ("kidney_right", 60, 300),
        ("lung_left", 900, 4200),
        ("lung_right", 900, 4500),
        ("heart", 330, 950),
        ("stomach", 60, 900),
        ("urinary_bladder", 12, 700),
        ("aorta", 60, 480),
    ],
)
def test_organs_are_as_large_as_anatomy_has_them(
    bodies: list[LabelMap], name: str, low: float, high: float
) -> None:
    volumes = sorted(_volume_ml(body, name) for body in bodies)

    middle = volumes[1:-1]  # one odd patient in twelve at each end is allowed
    assert low < middle[0]
    assert middle[-1] < high


@pytest.fixture(scope="module")
def tissues() -> list[Body]:
    return [paint_torso(seed, COARSE, (-430.0, 300.0)) for seed in SEEDS]


@pytest.mark.parametrize(
    ("tissue", "low", "high"), [(Tissue.PANCREAS, 15, 150), (Tissue.GALLBLADDER, 4, 70)]
)
def test_small_organs_are_as_large_as_anatomy_has_them(
    tissues: list[Body], tissue: Tissue, low: float, high: float
) -> None:
    volumes = [(body.tissue == tissue).sum() * body.grid.voxel_size / 1000 for body in tissues]

    shown = [volume for volume in volumes if volume > 0]
    assert len(shown) > len(volumes) / 2
    assert low < np.median(shown) < high


def test_organs_lie_inside_the_skin(tissues: list[Body]) -> None:
    inside = ~np.isin(
        STRUCTURE_OF_TISSUE, (0, _number("bones"), _number("vertebrae"))
    )  # skin may be thin over bone
    for body in tissues:
        organ, air = inside[body.tissue], body.tissue == Tissue.AIR
        for axis in (1, 2):
            for a, b in ((organ, air), (air, organ)):
                first = np.take(a, range(a.shape[axis] - 1), axis)
                second = np.take(b, range(1, b.shape[axis]), axis)
                assert not (first & second).any()


def test_the_diaphragm_parts_chest_and_belly(tissues: list[Body]) -> None:
    """In no column of samples does liver, spleen or stomach lie above lung or heart."""
    above = np.isin(
        np.arange(len(STRUCTURES)), [_number(n) for n in ("lung_left", "lung_right", "heart")]
    )
    below = np.isin(
        np.arange(len(STRUCTURES)), [_number(n) for n in ("liver", "spleen", "stomach")]
    )
    for body in tissues:
        structure = STRUCTURE_OF_TISSUE[body.tissue]
        higher, lower = above[structure], below[structure]
        seen_lower = np.flip(np.maximum.accumulate(np.flip(lower, 0), 0), 0)  # here or further up
        wrong = higher[:-1] & seen_lower[1:]
        assert wrong.mean() < 2e-4


def test_lung_reaches_down_behind_the_liver(tissues: list[Body]) -> None:
    """The costophrenic recess; fluid may fill it."""
    depths = []
    for body in tissues:
        heights = body.grid.affine[2, 3] + body.grid.spacing[0] * np.arange(body.grid.shape[0])
        structure = STRUCTURE_OF_TISSUE[body.tissue]
        lung, liver = (
            heights[(structure == _number(name)).any(axis=(1, 2))]
            for name in ("lung_right", "liver")
        )
        depths.append(liver.max() - lung.min())
    assert np.quantile(depths, 0.25) > 40


def test_the_patients_right_is_where_x_is_negative(bodies: list[LabelMap]) -> None:
    for body in bodies:
        assert _centre(body, "liver")[0] < 0 < _centre(body, "spleen")[0]
        assert _centre(body, "lung_right")[0] < 0 < _centre(body, "lung_left")[0]
        assert _centre(body, "heart")[0] > 0


def test_head_is_up_and_back_is_behind(bodies: list[LabelMap]) -> None:
    for body in bodies:
        heights = [_centre(body, name)[2] for name in ("urinary_bladder", "liver", "heart")]
        assert heights == sorted(heights)
        assert _centre(body, "aorta")[1] > _centre(body, "urinary_bladder")[1]


def test_labels_and_hounsfield_units_agree(patient: tuple[Image, LabelMap]) -> None:
    image, labels = patient

    def mean(name: str) -> float:
        return float(image.array[labels.mask(_number(name))].mean())

    assert image.array.dtype == np.int16
    assert image.modality == "CT"
    assert mean("lung_left") < -550
    assert mean("lung_right") < -550
    assert 60 < mean("liver") < 150
    assert mean("kidney_left") > mean("liver")
    assert mean("bones") > 150
    assert mean("aorta") > 90
    assert float(image.array[0, 0, 0]) < -900


def test_vertebrae_reach_from_the_sacrum_to_the_skull() -> None:
    body = paint_torso(22, (5.0, 5.0, 5.0), (-420.0, 570.0))
    structure = STRUCTURE_OF_TISSUE[body.tissue]
    heights = body.grid.affine[2, 3] + 5.0 * np.arange(body.grid.shape[0])
    shown = heights[(structure == _number("vertebrae")).any(axis=(1, 2))]

    assert shown.min() == pytest.approx(-262, abs=30)
    assert shown.max() == pytest.approx(388, abs=30)
    assert np.diff(shown).max() <= 15  # discs are lower, and arches overlap them


def test_a_skull_closes_around_the_brain_and_opens_below() -> None:
    body = paint_torso(23, (4.0, 3.0, 3.0), (330.0, 570.0))
    heights = body.grid.affine[2, 3] + 4.0 * np.arange(body.grid.shape[0])
    hard = np.isin(body.tissue, (Tissue.CORTICAL_BONE, Tissue.SPONGY_BONE))

    for number in np.flatnonzero((heights > 475) & (heights < 515)):
        brain = body.tissue[number] == Tissue.BRAIN
        reached, _ = ndimage.label(~hard[number])
        assert reached[0, 0] not in reached[brain]
    assert (body.tissue == Tissue.CANAL)[(heights > 385) & (heights < 405)].any()
    assert (body.tissue == Tissue.TOOTH).any()


def test_the_aorta_is_apart_from_the_vena_cava(bodies: list[LabelMap]) -> None:
    body = paint_torso(21, (6.0, 4.0, 4.0))
    belly = body.tissue[(body.grid.affine[2, 3] + 6 * np.arange(body.grid.shape[0])) < -40]
    columns = np.arange(body.grid.shape[2]) * 4.0 + body.grid.affine[0, 3]
    above_fork = belly[-20:]

    aorta = columns[np.nonzero(above_fork == Tissue.AORTA)[2]].mean()
    cava = columns[np.nonzero(above_fork == Tissue.VENA_CAVA)[2]].mean()

    assert cava < aorta - 10


def test_every_tissue_has_one_structure_or_none() -> None:
    assert STRUCTURE_OF_TISSUE.shape == (len(Tissue),)
    assert set(STRUCTURE_OF_TISSUE.tolist()) == set(range(len(STRUCTURES)))
    assert STRUCTURE_OF_TISSUE[Tissue.FAT] == 0


@given(st.integers(0, 2**31), st.sampled_from(Phase))
def test_contrast_medium_brightens_what_holds_blood(seed: int, phase: Phase) -> None:
    hu = draw_attenuation(np.random.default_rng(seed), phase)

    enhanced = hu[Tissue.AORTA] > 80
    assert enhanced == (phase is not Phase.NONE)
    assert hu[Tissue.AIR] < hu[Tissue.LUNG_LEFT] < hu[Tissue.FAT] < hu[Tissue.MUSCLE]
    assert hu[Tissue.VERTEBRAL_MARROW] < hu[Tissue.RIB] < hu[Tissue.TOOTH]
    assert hu[Tissue.SPONGY_BONE] < hu[Tissue.CORTICAL_BONE]
    assert hu[Tissue.VERTEBRAL_MARROW] < hu[Tissue.VERTEBRAL_CORTEX]
