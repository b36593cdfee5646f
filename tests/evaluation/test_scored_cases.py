"""One case: read in whatever format, matched, scored; and what is said where that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folders import DICE, GRID, LIVER, SPLEEN, box, case, labels, scored, values, write

from delineate.evaluation import Scoring
from delineate.evaluation.case import Case, Rules
from delineate.evaluation.columns import columns_of
from delineate.evaluation.keeping import score_chunk
from delineate.formats import nifti, seg
from delineate.imaging import Category, Grid, LabelMap


def test_scores_by_hand(tmp_path: Path) -> None:
    # Liver: rows 0-3 against rows 1-4, 3 of 4 rows shared: Dice 6/8. Spleen: the same.
    found = scored(case(tmp_path, labels({1: box(1), 2: SPLEEN}), labels({1: LIVER, 2: SPLEEN})))

    assert values(found) == {"liver": (0.75, ""), "spleen": (1.0, "")}
    assert set(found.inputs) == {"prediction", "reference"}


def test_what_is_missed_scores_nothing_and_what_is_invented_as_well(tmp_path: Path) -> None:
    rules = Rules(scoring=Scoring(metrics=("dice", "hd95")))
    given_case = case(tmp_path, labels({1: LIVER}), labels({2: SPLEEN}))

    found = scored(given_case, rules)
    far = scored(given_case, replace(rules, missed_distance="diagonal"))

    assert values(found) == {"liver": (0.0, "invented"), "spleen": (0.0, "missed")}
    assert all(np.isnan(value) for value, _ in values(found, "hd95").values())
    # From centre to centre of the corner samples: 3 x 2 mm, 11 mm, 11 mm.
    diagonal = pytest.approx((6**2 + 11**2 + 11**2) ** 0.5)
    assert [value for value, _ in values(far, "hd95").values()] == [diagonal, diagonal]


def test_a_case_without_a_prediction_has_missed_everything(tmp_path: Path) -> None:
    whole = case(tmp_path, labels({}), labels({1: LIVER, 2: SPLEEN}))

    found = scored(replace(whole, prediction=None))

    assert values(found) == {"liver": (0.0, "missed"), "spleen": (0.0, "missed")}
    assert found.notes == ("there is no prediction: all is missed",)


def test_what_a_reference_does_not_name_is_told_and_counted_if_asked_for(tmp_path: Path) -> None:
    more = labels({1: LIVER, 3: SPLEEN}, {1: Category("liver"), 3: Category("cyst")})
    one = case(tmp_path, more, labels({1: LIVER}, {1: Category("liver")}))

    told, counted = scored(one), scored(one, replace(DICE, count_unreferenced=True))

    assert (told.prediction_only, values(told)) == (("cyst",), {"liver": (1.0, "")})
    assert values(counted) == {"liver": (1.0, ""), "cyst": (0.0, "invented")}


def nameless(labelmap: LabelMap) -> LabelMap:
    return LabelMap(
        labelmap.array, labelmap.grid, {n: Category(f"label {n}") for n in labelmap.present()}
    )


def test_label_maps_without_names_leave_nothing_out(tmp_path: Path) -> None:
    # Where nobody has named labels, what a reference does not hold is not there.
    one = case(tmp_path, nameless(labels({1: LIVER, 2: SPLEEN})), nameless(labels({1: LIVER})))

    assert values(scored(one)) == {"label 1": (1.0, ""), "label 2": (0.0, "invented")}


def test_a_table_names_both_sides(tmp_path: Path) -> None:
    one = case(tmp_path, nameless(labels({1: LIVER})), nameless(labels({1: LIVER})))

    found = scored(replace(one, reference_table={"liver": (1,), "spleen": (2,)}))

    assert [(name, note) for name, (_, note) in values(found).items()] == [
        ("liver", ""),
        ("spleen", "absent"),
    ]


def test_where_one_side_has_no_names_nothing_is_guessed_but_told(tmp_path: Path) -> None:
    one = case(tmp_path, nameless(labels({1: LIVER})), labels({1: LIVER}))

    found = scored(one)
    helped = scored(replace(one, prediction_table={"liver": (1,)}))

    assert values(found)["liver"] == (0.0, "missed")
    assert found.prediction_only == ("label 1",)
    assert "--prediction-labels" in found.notes[0]
    assert values(helped)["liver"] == (1.0, "")
    assert helped.notes == ()


def test_names_in_the_file_are_kept_and_a_table_that_differs_is_told(tmp_path: Path) -> None:
    one = case(tmp_path, labels({1: LIVER}), labels({1: LIVER}))

    same_table = scored(replace(one, reference_table={"liver": (1,), "spleen": (2,)}))
    other_table = scored(replace(one, reference_table={"spleen": (1,)}))

    assert values(other_table)["liver"] == (1.0, "")
    assert "label 1 is 'liver', not 'spleen'" in other_table.notes[0]
    assert same_table.notes == ()


def test_structures_may_be_renamed(tmp_path: Path) -> None:
    german = labels({1: LIVER, 2: SPLEEN}, {1: Category("Leber"), 2: Category("Milz")})
    one = case(tmp_path, german, labels({1: LIVER, 2: SPLEEN}))

    found = scored(one, replace(DICE, renamed={"leber": "liver", "Milz": "spleen"}))

    assert values(found) == {"liver": (1.0, ""), "spleen": (1.0, "")}


def test_masks_that_overlap_are_scored_each_for_itself(tmp_path: Path) -> None:
    layers = (
        labels({1: LIVER}, {1: Category("liver")}),
        labels({2: box(2)}, {2: Category("cyst")}),
    )
    for side in ("reference", "prediction"):
        nifti.write_masks(layers, tmp_path / f"{side}.zip")
    other = labels({2: LIVER}, {2: Category("cyst")})
    write(tmp_path, "other", other)
    whole = Case(
        name="c", reference=tmp_path / "reference.zip", prediction=tmp_path / "prediction.zip"
    )

    found = scored(whole)
    against = scored(replace(whole, prediction=tmp_path / "other.nii.gz"))

    assert values(found) == {"liver": (1.0, ""), "cyst": (1.0, "")}
    # Rows 2-5 against rows 0-3: half is shared.
    assert values(against) == {"liver": (0.0, "missed"), "cyst": (0.5, "")}


def test_turned_labels_are_put_back_and_others_refused_or_resampled(tmp_path: Path) -> None:
    right = labels({1: LIVER, 2: SPLEEN})
    flipped = GRID.affine.copy()
    flipped[:3, 2] *= -1
    flipped[:3, 3] = GRID.to_world((0, 0, 11))
    turned = LabelMap(right.array[:, :, ::-1], Grid(GRID.shape, flipped), right.categories)
    coarse = Grid.regular((4, 6, 6), (2.0, 2.0, 2.0), (0.5, 0.5, 0.0))
    array = np.ascontiguousarray(right.array[:, ::2, ::2])
    fewer = LabelMap(array, coarse, right.categories)

    assert values(scored(case(tmp_path, turned, right)))["liver"] == (1.0, "")
    other = case(tmp_path, fewer, right)
    refused, resampled = scored(other), scored(other, replace(DICE, resample=True))

    assert "--resample" in refused.error
    assert values(resampled)["liver"] == (1.0, "")
    assert "sampled anew" in resampled.notes[0]


def test_outlines_are_filled_on_the_other_side_or_on_the_image(
    tmp_path: Path, phantom_series: Path
) -> None:
    from delineate import formats
    from delineate.contour import trace_all
    from delineate.formats import rtstruct

    image = formats.read(phantom_series)
    array = np.zeros(image.grid.shape, np.uint8)
    array[2:5, 20:40, 30:50] = 1
    drawn = LabelMap(array, image.grid, {1: Category("liver")})
    rtstruct.write(trace_all(drawn), image, tmp_path / "rtstruct.dcm")
    seg.write((drawn,), image, tmp_path / "seg.dcm", made="manual")
    whole = Case(name="c", reference=tmp_path / "seg.dcm", prediction=tmp_path / "rtstruct.dcm")
    outlines = replace(whole, reference=tmp_path / "rtstruct.dcm")

    assert values(scored(whole)) == {"liver": (1.0, "")}
    assert values(scored(replace(outlines, image=phantom_series))) == {"liver": (1.0, "")}
    assert "reference: rtstruct.dcm holds outlines" in scored(outlines).error


def test_a_case_that_cannot_be_read_says_why_and_on_which_side(tmp_path: Path) -> None:
    good = case(tmp_path, labels({1: LIVER}), labels({1: LIVER}))
    (tmp_path / "broken.nii.gz").write_bytes(good.reference.read_bytes()[:200])

    broken = scored(replace(good, prediction=tmp_path / "broken.nii.gz"))
    (gone,) = score_chunk([replace(good, prediction=tmp_path / "gone.nii.gz")], DICE)

    assert broken.error.startswith("prediction: ")
    assert "broken.nii.gz" in broken.error
    assert str(tmp_path) not in broken.error
    assert "gone.nii.gz" in gone.error
    assert str(tmp_path) not in gone.error


def test_tolerances_go_by_what_a_name_means(tmp_path: Path) -> None:
    named = {1: Category("Lung-Lt")}
    one = case(tmp_path, labels({1: box(2)}, named), labels({1: LIVER}, named))

    strict = scored(one, Rules(scoring=Scoring(metrics=("nsd",), tolerance_mm=0.5)))
    loose = scored(one, Rules(scoring=Scoring(metrics=("nsd",), tolerances_mm={"lung left": 9.0})))

    assert values(strict, "nsd")["Lung-Lt"][0] < 1
    assert values(loose, "nsd")["Lung-Lt"][0] == 1


def test_a_structure_that_is_nowhere_is_in_no_mean_not_even_of_volumes(tmp_path: Path) -> None:
    rules = Rules(scoring=Scoring(metrics=("dice", "volume_reference", "added_path_length")))
    found = columns_of([scored(case(tmp_path, labels({1: LIVER}), labels({1: LIVER})), rules)])

    places = [n for n, one in enumerate(found.columns) if one.structure == "spleen"]

    assert len(places) == 3
    assert np.isnan(found.values[0, places]).all()
    assert [found.counts(place)["absent"] for place in places] == [1, 1, 1]
