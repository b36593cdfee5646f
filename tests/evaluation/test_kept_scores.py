"""What is kept of a case: scores by the content of the inputs, and where it differs most."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from folders import DICE, LIVER, SPLEEN, box, case, labels, scored, values, write

from delineate.evaluation import Rules, Scored, Scoring
from delineate.evaluation.cutout import Cutout
from delineate.evaluation.fingerprint import fingerprint
from delineate.evaluation.keeping import score_chunk


def test_what_was_scored_is_read_again_and_a_change_scored_anew(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    one = case(tmp_path, labels({1: box(1)}), labels({1: LIVER}))

    (first,) = score_chunk([one], DICE, kept)
    (file,) = kept.iterdir()
    file.write_bytes(file.read_bytes().replace(b"0.75", b"0.25"))  # to see that it is read
    (again,) = score_chunk([one], DICE, kept)
    write(tmp_path, "prediction", labels({1: LIVER}))
    (changed,) = score_chunk([one], DICE, kept)
    file.write_bytes(b'{"half')
    write(tmp_path, "prediction", labels({1: box(1)}))
    (mended,) = score_chunk([one], DICE, kept)

    assert [values(x)["liver"][0] for x in (first, again, changed, mended)] == [0.75, 0.25, 1, 0.75]
    assert len(list(kept.iterdir())) == 2

    other = Rules(scoring=Scoring(metrics=("iou",)))
    (found,) = score_chunk([one], other, kept)
    assert values(found, "iou")["liver"][0] == 0.6  # 3 of 5 rows: other rules, another score
    table = {"spleen": (1,)}
    (found,) = score_chunk([replace(one, reference_table=table)], DICE, kept)
    assert len(list(kept.iterdir())) == 4


def test_a_score_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    found = scored(case(tmp_path, labels({1: box(1)}), labels({1: LIVER, 2: SPLEEN})), Rules())

    back = Scored.from_json(found.to_json())

    np.testing.assert_equal(back.to_json(), found.to_json())
    assert len(back.scores) == len(found.scores)


def test_the_cutout_is_of_the_worst_structure_where_most_differs(tmp_path: Path) -> None:
    moved = labels({1: LIVER, 2: SPLEEN}).array.copy()
    moved[2, 8:11, 2:6] = 0  # three rows of the spleen are lost in slice 2
    prediction = replace(labels({}), array=moved)
    found = scored(case(tmp_path, prediction, labels({1: LIVER, 2: SPLEEN})))

    assert found.cutout is not None
    cutout = Cutout.from_json(found.cutout)

    assert (cutout.structure, cutout.slice, cutout.slices) == ("spleen", 2, 4)
    assert (cutout.reference.sum(), cutout.prediction.sum()) == (16, 4)
    assert (cutout.reference & cutout.prediction).sum() == 4
    assert cutout.reference.shape == cutout.grid.shape[1:]


def test_a_fingerprint_is_of_content_not_of_place(tmp_path: Path) -> None:
    one = write(tmp_path / "a", "x", labels({1: LIVER}))
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert fingerprint(one) != fingerprint(write(tmp_path / "a", "x", labels({1: SPLEEN})))
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "b")
