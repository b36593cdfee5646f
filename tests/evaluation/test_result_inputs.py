"""Results of delineate and drawings of raters as they lie on the disk, scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from folders import LIVER, SPLEEN, labels, write

from delineate import delineation
from delineate.errors import InputError, UnreadableFileError
from delineate.evaluation import Rules, Scored, Scoring
from delineate.evaluation.case import Case
from delineate.evaluation.fingerprint import fingerprint
from delineate.evaluation.results import read_result
from delineate.evaluation.scored import inputs_of, score_case
from delineate.formats import coco
from delineate.formats.marks import Mark
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import (
    Classes,
    DetectorSpec,
    Field,
    Instance,
    Instances,
    Masks,
    Options,
    Wants,
)

ONE, TWO = Category("liver"), Category("spleen")
IMAGE = Image(labels({1: LIVER, 2: SPLEEN}).array.astype(np.int16), labels({}).grid, "CT")


class Labelled:
    def detect(self, image: Image, options: Options) -> LabelMap:
        return LabelMap(image.array.astype(np.uint8), image.grid, {1: ONE, 2: TWO})


class Layered:
    def detect(self, image: Image, options: Options) -> Masks:
        return Masks(np.stack((image.array == 1, image.array > 0)), image.grid, (ONE, TWO))


class Counted:
    def detect(self, image: Image, options: Options) -> Instances:
        point = Instance(ONE, 0.9, point=(1.0, 2.0, 3.0))
        boxed = Instance(TWO, 0.8, box=((0.5, 6.5, 1.5), (1.5, 10.5, 5.5)))
        return Instances((point, boxed), image.grid)


class Judged:
    def detect(self, image: Image, options: Options) -> Classes:
        return Classes({ONE: 0.75, TWO: 0.25})


class Felt:
    def detect(self, image: Image, options: Options) -> Field:
        array = (image.array == 1).astype(np.float32)
        return Field(array, image.grid, ONE, "strangeness", 0.5)


def result(folder: Path, gives: str, factory: type) -> Path:
    spec = DetectorSpec(
        id=f"test.{gives}",
        title=gives,
        factory=f"{__name__}:{factory.__name__}",
        categories=(ONE,) if gives == "field" else (ONE, TWO),
        task="segmentation",
        gives=gives,
        wants=Wants(),
    )
    found = delineation.delineate(IMAGE, spec)
    delineation.export(found, ["field"] if gives == "field" else [], folder)
    return folder


def scored(prediction: Path, reference: Path, *metrics: str) -> Scored:
    case = Case(name="c", reference=reference, prediction=prediction)
    found = score_case(case, Rules(scoring=Scoring(metrics=metrics)), inputs_of(case))
    assert not found.error, found.error
    return found


def values(found: Scored) -> dict[tuple[str, str], float]:
    return {(one.structure, one.metric): one.value for one in found.scores}


def test_labels_of_a_result_are_its_outlines_filled(tmp_path: Path) -> None:
    mine = result(tmp_path / "r", "labelmap", Labelled)
    truth = write(tmp_path, "truth", labels({1: LIVER, 2: SPLEEN}))

    assert values(scored(mine, truth, "dice")) == {("liver", "dice"): 1, ("spleen", "dice"): 1}


def test_masks_that_overlap_come_back_whole(tmp_path: Path) -> None:
    mine = result(tmp_path / "r", "masks", Layered)
    both = labels({1: LIVER, 2: SPLEEN})
    write(tmp_path / "truth", "liver", labels({1: LIVER}, {1: ONE}))
    write(
        tmp_path / "truth",
        "spleen",
        LabelMap((both.array > 0).view(np.uint8), both.grid, {1: TWO}),
    )

    found = scored(mine, tmp_path / "truth", "dice")

    assert values(found) == {("liver", "dice"): 1, ("spleen", "dice"): 1}


def test_things_one_by_one_are_found_at_their_places(tmp_path: Path) -> None:
    held = read_result(result(tmp_path / "r", "instances", Counted))

    assert isinstance(held, Instances)
    point, boxed = held.items
    assert point.point == pytest.approx((1, 2, 3), abs=1e-4)
    assert np.ravel(boxed.box or ()) == pytest.approx((0.5, 6.5, 1.5, 1.5, 10.5, 5.5), abs=1e-4)
    assert (point.category.name, point.score) == ("liver", 0.9)
    found = values(scored(tmp_path / "r", tmp_path / "r", "count_error", "detection_f1"))
    assert {name: value for (_, name), value in found.items()} == {
        "count_error": 0,
        "detection_f1": 1,
    }


def test_classes_keep_their_probabilities(tmp_path: Path) -> None:
    held = read_result(result(tmp_path / "r", "classes", Judged))

    assert isinstance(held, Classes)
    assert {one.name: p for one, p in held.probabilities.items()} == {"liver": 0.75, "spleen": 0.25}


def test_a_field_is_scored_by_its_samples_and_needs_them(tmp_path: Path) -> None:
    mine = result(tmp_path / "r", "field", Felt)
    truth = write(tmp_path, "truth", labels({1: LIVER}, {1: ONE}))

    assert 1.0 in values(scored(mine, truth, "auroc")).values()
    (mine / "field.nii.gz").unlink()
    with pytest.raises(InputError, match="--export field"):
        read_result(mine)


def test_a_result_is_known_by_what_was_found_not_when(tmp_path: Path) -> None:
    mine = result(tmp_path / "r", "labelmap", Labelled)
    path, before = mine / "delineation.json", fingerprint(mine)
    document = json.loads(path.read_text())
    document["provenance"] |= {"created": "2001-01-01T00:00:00Z", "seconds": 99.0}
    path.write_text(json.dumps(document))

    assert fingerprint(mine) == before
    document["findings"][0]["score"] = 0.5
    path.write_text(json.dumps(document))
    assert fingerprint(mine) != before


@pytest.mark.parametrize("turned", [False, True], ids=["reference", "prediction"])
def test_outlines_of_coco_are_things_where_the_other_side_has_things(
    tmp_path: Path, turned: bool
) -> None:
    """Two of one category lie in one area, and are two things."""
    grid = Grid.regular((1, 60, 80), unit="px")
    rings = [[2, 4, 8, 4, 8, 9, 2, 9], [8, 4, 14, 4, 14, 9, 8, 9]]
    common = {"image_id": 1, "category_id": 1}
    drawn = {
        "images": [{"id": 1, "width": 80, "height": 60, "file_name": "trap.png"}],
        "categories": [{"id": 1, "name": "moth"}],
        "annotations": [{**common, "segmentation": [ring]} for ring in rings],
    }
    (tmp_path / "drawn.json").write_text(json.dumps(drawn))
    box = ((1.5, 3.5, -0.5), (7.5, 8.5, 0.5))
    coco.write((), grid, tmp_path / "found.json", [Mark(1, Category("moth"), 0.9, box=box)])
    names = ("found.json", "drawn.json") if turned else ("drawn.json", "found.json")

    found = scored(tmp_path / names[1], tmp_path / names[0], "count_reference", "detection_f1")

    told = values(found)
    assert told["moth", "count_reference"] == (1 if turned else 2)
    assert told["moth", "detection_f1"] == pytest.approx(2 / 3)


def test_things_among_areas_are_left_out_and_told(tmp_path: Path) -> None:
    common = {"image_id": 1, "category_id": 1}
    drawn = {
        "images": [{"id": 1, "width": 12, "height": 12, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "moth"}],
        "annotations": [
            {**common, "segmentation": [[2, 4, 8, 4, 8, 9, 2, 9]]},
            {**common, "bbox": [1, 1, 2, 2]},
        ],
    }
    (tmp_path / "drawn.json").write_text(json.dumps(drawn))
    truth = LabelMap(
        np.ones((1, 12, 12), np.uint8), Grid.regular((1, 12, 12)), {1: Category("moth")}
    )
    reference = write(tmp_path, "truth", truth)

    found = scored(tmp_path / "drawn.json", reference, "volume_prediction")

    assert any("1 points and boxes of drawn.json were left out" in note for note in found.notes)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "x"}', '{"schema": null, "a": 1}'])
def test_a_broken_result_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "delineation.json").write_text(text)

    with pytest.raises(UnreadableFileError, match=r"delineation\.json"):
        read_result(tmp_path)


def test_grey_pictures_are_label_maps(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    array = np.zeros((12, 12), np.uint8)
    array[2:6, 2:6] = 255
    Pillow.fromarray(array).save(tmp_path / "mask.png")
    Pillow.fromarray((array > 0).astype(np.uint8)).save(tmp_path / "truth.png")
    Pillow.fromarray(np.stack([array] * 3, axis=-1)).save(tmp_path / "colour.png")

    found = scored(tmp_path / "mask.png", tmp_path / "truth.png", "dice", "volume_reference")
    case = Case(name="c", reference=tmp_path / "truth.png", prediction=tmp_path / "colour.png")

    assert values(found) == {("label 1", "dice"): 1, ("label 1", "volume_reference"): 16}
    assert "in colours" in score_case(case, Rules(), {}).error


def test_two_real_raters_score_as_simpleitk_says(shared_data: Path, tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    source = shared_data / "masks_two_raters"
    if not source.is_dir():
        pytest.skip("../shared/data/masks_two_raters is not here")
    names = ("Lens-Lt", "Spinal-Cord", "Spinal-Canal")  # the cord lies in the canal
    expected = {}
    for name in names:
        files = []
        for rater in ("radiographer", "oncologist"):
            file = source / rater / "0522c0014" / "segmentations" / f"{name}.nrrd"
            (tmp_path / rater).mkdir(exist_ok=True)
            (tmp_path / rater / file.name).symlink_to(file)
            files.append(sitk.ReadImage(str(file)) > 0)
        measured = sitk.LabelOverlapMeasuresImageFilter()
        measured.Execute(*files)
        expected[name, "dice"] = pytest.approx(measured.GetDiceCoefficient(), abs=1e-12)

    found = scored(tmp_path / "radiographer", tmp_path / "oncologist", "dice")

    assert values(found) == expected
    assert not found.prediction_only


def test_grids_are_compared_in_the_world(tmp_path: Path) -> None:
    moved = Grid.regular((4, 12, 12), (2.0, 1.0, 1.0), (0.4, 0.0, 0.0))
    truth = write(tmp_path, "truth", labels({1: LIVER}))
    other = write(tmp_path, "other", labels({1: LIVER}, grid=moved))
    case = Case(name="c", reference=truth, prediction=other)

    assert "up to 0.40 apart" in score_case(case, Rules(), {}).error
