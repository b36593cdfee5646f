"""``delineate convert`` as people use it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from test_commands import run

from delineate import formats
from delineate.contour import fill, trace_all
from delineate.formats import coco, dicom, nifti, nrrd, rtstruct, seg
from delineate.formats.annotations import read_annotation
from delineate.formats.conversion import drawing_of
from delineate.formats.drawing import Drawing
from delineate.formats.marks import Mark
from delineate.formats.sidecar import NAME
from delineate.formats.table import FORMATS
from delineate.formats.writing import write
from delineate.imaging import Category, Grid, Image, LabelMap, place


@pytest.fixture(scope="module")
def image(phantom_series: Path) -> Image:
    return formats.read(phantom_series)


@pytest.fixture(scope="module")
def labels(image: Image) -> LabelMap:
    array = np.zeros(image.grid.shape, np.uint8)
    array[3:9, 20:45, 30:60] = 1
    array[4:8, 28:35, 38:44] = 0
    array[5, 30, 40] = 2
    return LabelMap(array, image.grid, {1: Category("Liver"), 2: Category("GTV")})


@pytest.fixture(scope="module")
def drawn(labels: LabelMap, image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "labels.nii.gz"
    nifti.write_labels(labels, path)
    return path


def test_one_file_becomes_all_formats_that_there_are(
    drawn: Path, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert run("convert", drawn, "--to", ",".join(FORMATS), "--reference", phantom_series,
               "--made", "manual",
               "--out", out) == 0  # fmt: skip

    assert {path.name for path in out.iterdir()} == {
        NAME, *(entry.file for entry in FORMATS.values())
    }  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    for entry, line in zip(FORMATS.values(), lines, strict=True):
        assert line.startswith(str(out / entry.file))
        assert ("round trip: Dice 1.000000" in line) == (entry.read_back is not None)


@pytest.mark.parametrize("through", [n for n, e in FORMATS.items() if e.read_back][:8])
def test_there_and_back_nothing_is_lost(
    through: str, drawn: Path, labels: LabelMap, phantom_series: Path, tmp_path: Path
) -> None:
    there = tmp_path / FORMATS[through].file
    back = tmp_path / "back.nii.gz"
    for given, to, out in ((drawn, through, there), (there, "nifti", back)):
        assert run("convert", given, "--to", to, "--out", out, "--reference", phantom_series,
                   "--made", "automatic") == 0  # fmt: skip

    found = nifti.read_labels(back)

    np.testing.assert_array_equal(place(found, labels.grid).array, labels.array)
    assert [one.name for one in found.categories.values()] == ["Liver", "GTV"]


def test_names_get_their_codes_and_sides(
    labels: LabelMap, phantom_series: Path, tmp_path: Path
) -> None:
    named = {1: Category("left kidney"), 2: Category("Liver")}
    nifti.write_labels(LabelMap(labels.array, labels.grid, named), tmp_path / "a.nii.gz")
    out = tmp_path / "rt.dcm"

    assert run("convert", tmp_path / "a.nii.gz", "--to", "rtstruct", "--out", out,
               "--reference", phantom_series) == 0  # fmt: skip

    left, liver = (one.category for one in rtstruct.read(out).structures)
    assert (left.name, left.laterality) == ("left kidney", "left")
    assert left.code is not None
    assert liver.code is not None
    assert (left.code.value, liver.code.value) == ("64033007", "10200004")


def test_labels_turned_by_another_program_land_where_they_were(
    drawn: Path, labels: LabelMap, phantom_series: Path, tmp_path: Path
) -> None:
    turned = nibabel.as_closest_canonical(nibabel.load(drawn))
    nibabel.save(
        turned.slicer[10:, :, 2:], tmp_path / "turned.nii.gz"
    )  # and cropped where nothing is
    out = tmp_path / "seg.dcm"

    assert run("convert", tmp_path / "turned.nii.gz", "--to", "seg", "--out", out,
               "--reference", phantom_series, "--made", "manual") == 0  # fmt: skip

    (back,) = seg.read_layers(out)
    np.testing.assert_array_equal(place(back, labels.grid).array, labels.array)


def test_outlines_are_drawn_as_asked_for(
    drawn: Path, labels: LabelMap, phantom_series: Path, tmp_path: Path
) -> None:
    exact, moved = tmp_path / "a.dcm", tmp_path / "b.dcm"
    base = ("convert", drawn, "--to", "rtstruct", "--reference", phantom_series, "--out")
    assert run(*base, exact) == 0
    assert run(*base, moved, "--contours", "midpoint", "--smooth-mm", 2, "--simplify-mm", 0.5,
               "--holes", "keyhole") == 0  # fmt: skip

    before, after = (rtstruct.read(path).structures[0].contours for path in (exact, moved))

    assert sum(len(ring.points) for ring in before) != sum(len(ring.points) for ring in after)
    np.testing.assert_array_equal(fill(after, labels.grid), labels.mask(1))
    files = json.loads((tmp_path / NAME).read_text())["files"]
    assert files["a.dcm"]["round_trip"]["outlines_moved_at_most_mm"] == 0.0
    assert files["b.dcm"]["round_trip"]["outlines_moved_at_most_mm"] == pytest.approx(
        2.5 + 2 * 0.5**0.5
    )
    assert files["b.dcm"]["outlines"] == {
        "style": "midpoint", "smooth_mm": 2.0, "simplify_mm": 0.5
    }  # fmt: skip


def test_outlines_stay_as_they_were_drawn(
    labels: LabelMap, image: Image, phantom_series: Path, tmp_path: Path
) -> None:
    circle = trace_all(labels, style="midpoint")
    rtstruct.write(circle, image, tmp_path / "a.dcm")

    assert run("convert", tmp_path / "a.dcm", "--to", "rtstruct", "--out", tmp_path / "b.dcm",
               "--reference", phantom_series) == 0  # fmt: skip

    for one, other in zip(circle, rtstruct.read(tmp_path / "b.dcm").structures, strict=True):
        for ring, back in zip(one.contours, other.contours, strict=True):
            np.testing.assert_allclose(ring.points, back.points, atol=1e-4)
    entry = json.loads((tmp_path / NAME).read_text())["files"]["b.dcm"]
    assert entry["outlines"] is None  # nothing here knows how they were drawn


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_what_was_drawn_on_another_patient_is_refused(
    kind: str, labels: LabelMap, image: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    samples = np.ones_like(image.array)  # the same grid, another patient
    dicom.write_series(Image(samples, image.grid, "CT"), other)
    drawn, out = tmp_path / "drawn.dcm", tmp_path / "out.dcm"
    write(Drawing(image=image, structures=trace_all(labels), layers=(labels,)), kind, drawn)

    assert run("convert", drawn, "--to", "rtstruct", "--out", out, "--reference", other) == 3

    assert "in another frame of reference" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_given_outlines_are_drawn_anew_where_that_is_asked_for(
    labels: LabelMap, image: Image, phantom_series: Path, tmp_path: Path
) -> None:
    rtstruct.write(trace_all(labels), image, tmp_path / "a.dcm")

    assert run("convert", tmp_path / "a.dcm", "--to", "rtstruct", "--out", tmp_path / "b.dcm",
               "--reference", phantom_series, "--contours", "midpoint") == 0  # fmt: skip

    found = rtstruct.read(tmp_path / "b.dcm").structures
    for one, other in zip(trace_all(labels, style="midpoint"), found, strict=True):
        assert [len(ring.points) for ring in one.contours] == [
            len(ring.points) for ring in other.contours
        ]


def test_the_table_measures_the_image_and_says_what_its_edge_cuts(
    image: Image, phantom_series: Path, tmp_path: Path
) -> None:
    array = np.zeros(image.grid.shape, np.uint8)
    array[3:6, 0:9, 30:40] = 1
    array[3:6, 20:29, 30:40] = 2
    named = {1: Category("Cut"), 2: Category("Whole")}
    nifti.write_labels(LabelMap(array, image.grid, named), tmp_path / "a.nii.gz")

    assert run("convert", tmp_path / "a.nii.gz", "--to", "csv", "--out", tmp_path / "b.csv",
               "--reference", phantom_series) == 0  # fmt: skip

    cut, whole = csv.DictReader((tmp_path / "b.csv").read_text(encoding="utf-8").splitlines())
    assert cut["notes"] == "cut by the field of view"
    assert whole["notes"] == ""
    assert float(whole["mean_hu"]) == pytest.approx(image.array[array == 2].mean())


def test_marks_have_numbers_that_no_structure_has(tmp_path: Path) -> None:
    grid = Grid.regular((2, 4, 4))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 1, 1] = 7
    layer = LabelMap(array, grid, {7: Category("Liver")})
    point = Mark(1, Category("Nodule"), 0.5, (1.0, 1.0, 0.0), None, ())
    coco.write((layer,), grid, tmp_path / "a.json", (point,))

    made = drawing_of(read_annotation(tmp_path / "a.json"))

    assert [one.number for one in made.structures] == [7]
    assert [one.number for one in made.marks] == [8]


def test_what_the_edge_of_the_image_cuts_off_is_said(
    labels: LabelMap, image: Image, phantom_series: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    wide = labels.grid.crop((0, 0, -9), (*labels.grid.shape[:2], labels.grid.shape[2] + 9))
    array = np.zeros(wide.shape, np.uint8)
    array[4, 20:30, 4:20] = 1
    array[4, 40:44, 9:20] = 2
    named = {1: Category("Body"), 2: Category("Heart")}
    rtstruct.write(trace_all(LabelMap(array, wide, named)), image, tmp_path / "a.dcm")

    assert run("convert", tmp_path / "a.dcm", "--to", "nifti", "--out", tmp_path / "b.nii.gz",
               "--reference", phantom_series) == 0  # fmt: skip

    said = " ".join(capsys.readouterr().err.split())
    assert "Body: drawn beyond the edge of the image" in said
    assert "Heart" not in said
    assert "beyond the edge" in (tmp_path / NAME).read_text()


def test_labels_on_the_same_samples_are_not_called_sampled_anew(
    drawn: Path, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", drawn, "--to", "nrrd", "--out", tmp_path / "a.seg.nrrd",
               "--reference", phantom_series, "--resample") == 0  # fmt: skip

    assert "anew" not in capsys.readouterr().err


def test_outlines_beside_their_slices_are_said_to_be_moved(
    labels: LabelMap, image: Image, phantom_series: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    aside = Grid(image.grid.shape, image.grid.affine + np.outer([0, 0, 3.0, 0], [0, 0, 0, 1]))
    shifted = replace(image, grid=aside)
    rtstruct.write(trace_all(LabelMap(labels.array, aside, labels.categories)), shifted,
                   tmp_path / "a.dcm")  # fmt: skip
    base = ("convert", tmp_path / "a.dcm", "--reference", phantom_series, "--to")

    assert run(*base, "geojson", "--out", tmp_path / "a.geojson") == 0
    assert run(*base, "rtstruct", "--out", tmp_path / "b.dcm") == 3

    said = capsys.readouterr()
    assert "largest distance at most 3.000 mm" in said.out
    assert "up to 3.000 mm beside the planes" in " ".join(said.err.split())
    entry = json.loads((tmp_path / NAME).read_text())["files"]["a.geojson"]
    assert entry["round_trip"]["outlines_moved_at_most_mm"] == pytest.approx(3.0, abs=1e-3)


def test_files_that_are_gone_are_no_longer_listed(drawn: Path, tmp_path: Path) -> None:
    for name in ("a.ply", "b.ply"):
        assert run("convert", drawn, "--to", "ply", "--out", tmp_path / name) == 0
    assert set(json.loads((tmp_path / NAME).read_text())["files"]) == {"a.ply", "b.ply"}

    (tmp_path / "a.ply").unlink()
    assert run("convert", drawn, "--to", "nrrd", "--out", tmp_path / "c.seg.nrrd") == 0

    assert set(json.loads((tmp_path / NAME).read_text())["files"]) == {"b.ply", "c.seg.nrrd"}


@pytest.mark.parametrize("far", ["inf", "nan", "-1", "101"])
@pytest.mark.parametrize("option", ["--smooth-mm", "--simplify-mm"])
def test_outlines_are_moved_by_a_sensible_distance_alone(
    option: str, far: str, drawn: Path, tmp_path: Path
) -> None:
    assert run("convert", drawn, "--to", "coco", "--out", tmp_path / "a.json", option, far) == 2


def test_no_file_takes_the_name_of_what_says_its_round_trip(drawn: Path, tmp_path: Path) -> None:
    assert run("convert", drawn, "--to", "coco", "--out", tmp_path / NAME) == 2
    assert list(tmp_path.iterdir()) == []


def test_labels_on_other_samples_are_refused_or_sampled_anew_and_that_is_said(
    labels: LabelMap, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = labels.grid.with_spacing((4.0, 2.0, 2.0))
    one = np.zeros(fine.shape, np.uint8)
    one[6:18, 40:90, 60:120] = 1
    one[10, 2, 2] = 2  # smaller than a sample of the reference
    nrrd.write_labels(
        (LabelMap(one, fine, {1: Category("a"), 2: Category("b")}),), tmp_path / "fine.seg.nrrd"
    )
    base = ("convert", tmp_path / "fine.seg.nrrd", "--to", "nifti", "--reference", phantom_series,
            "--out", tmp_path / "coarse.nii.gz")  # fmt: skip

    assert run(*base) == 3
    assert "are not those of the image" in capsys.readouterr().err
    assert run(*base, "--resample") == 0

    said = " ".join(capsys.readouterr().err.split())
    assert "a was sampled anew: 576.000 ml before, 576.000 ml after" in said
    assert "b was sampled anew: 0.016 ml before, nothing left after" in said
    assert json.loads((tmp_path / NAME).read_text())["files"]["coarse.nii.gz"]["notes"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--to", "rtstruct", "--out", "a.dcm"), 2, "needs --reference"),
        (("--to", "poem", "--out", "a.txt"), 2, "--to knows nifti"),
        (("--to", ",", "--out", "a.txt"), 2, "expects at least one of"),
        (("--to", "ply", "--out", "a.glb"), 3, "expected a file of ply to end in .ply"),
        (("--to", "nifti,ply", "--out", "DRAWN"), 2, "expects a folder for several formats"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = tuple(str(drawn) if one == "DRAWN" else one for one in arguments)

    assert run("convert", drawn, *arguments) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_an_image_is_no_annotation(
    phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("convert", phantom_series, "--to", "nifti", "--out", tmp_path / "a.nii.gz") == 3
    assert "expected labels or outlines" in " ".join(capsys.readouterr().err.split())


def test_overlaps_are_kept_apart_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = Grid.regular((2, 3, 4), (3.0, 1.0, 1.0))
    one, two = np.zeros((2, *grid.shape), np.uint8)
    one[0, :2], two[0, 1:] = 1, 2
    layers = tuple(
        LabelMap(array, grid, {n: Category(f"thing {n}")}) for n, array in ((1, one), (2, two))
    )
    nrrd.write_labels(layers, tmp_path / "over.seg.nrrd")

    assert run("convert", tmp_path / "over.seg.nrrd", "--to", "nifti",
               "--out", tmp_path / "a.nii.gz") == 3  # fmt: skip
    assert "structures overlap" in capsys.readouterr().err
    assert run("convert", tmp_path / "over.seg.nrrd", "--to", "masks",
               "--out", tmp_path / "masks.zip") == 0  # fmt: skip
    assert run("convert", tmp_path / "masks.zip", "--to", "nrrd",
               "--out", tmp_path / "back.nrrd") == 0  # fmt: skip

    back = nrrd.read_layers(tmp_path / "back.nrrd")
    named = {c.name: layer.mask(n) for layer in back for n, c in layer.categories.items()}
    np.testing.assert_array_equal(named["thing 1"], one == 1)
    np.testing.assert_array_equal(named["thing 2"], two == 2)


def test_who_drew_it_is_passed_on_and_never_made_up(
    drawn: Path, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ("--reference", phantom_series, "--out")

    def of_rtstruct(path: Path) -> set[str]:
        rois = pydicom.dcmread(path).StructureSetROISequence
        return {str(roi.ROIGenerationAlgorithm or "") for roi in rois}

    assert run("convert", drawn, "--to", "rtstruct", *base, tmp_path / "a.dcm") == 0
    assert of_rtstruct(tmp_path / "a.dcm") == {""}
    assert run("convert", tmp_path / "a.dcm", "--to", "seg", *base, tmp_path / "b.dcm") == 3
    assert "a SEG says how its segments were made" in " ".join(capsys.readouterr().err.split())

    assert run("convert", drawn, "--to", "rtstruct", "--made", "manual", *base,
               tmp_path / "c.dcm") == 0  # fmt: skip
    assert of_rtstruct(tmp_path / "c.dcm") == {"MANUAL"}
    assert run("convert", tmp_path / "c.dcm", "--to", "seg,sr", *base, tmp_path / "out") == 0
    segments = pydicom.dcmread(tmp_path / "out" / "seg.dcm").SegmentSequence
    assert {one.SegmentAlgorithmType for one in segments} == {"MANUAL"}
    assert not any("SegmentAlgorithmName" in one for one in segments)
    assert "Algorithm Name" not in str(pydicom.dcmread(tmp_path / "out" / "sr.dcm"))

    assert run("convert", tmp_path / "out" / "seg.dcm", "--to", "rtstruct", *base,
               tmp_path / "d.dcm") == 0  # fmt: skip
    assert of_rtstruct(tmp_path / "d.dcm") == {"MANUAL"}


def test_labels_that_sampling_anew_would_lose_outside_are_refused(
    labels: LabelMap, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    affine = labels.grid.affine.copy()
    affine[:3, 3] += (3000.0, 1.0, 0.0)
    elsewhere = LabelMap(labels.array, Grid(labels.grid.shape, affine), labels.categories)
    nifti.write_labels(elsewhere, tmp_path / "a.nii.gz")

    assert run("convert", tmp_path / "a.nii.gz", "--to", "csv", "--resample", "--out",
               tmp_path / "a.csv", "--reference", phantom_series) == 3  # fmt: skip
    count = int(np.count_nonzero(labels.array))
    assert f"{count} labelled samples lie outside the image" in " ".join(
        capsys.readouterr().err.split()
    )


def test_several_formats_into_one_file_are_refused(drawn: Path, tmp_path: Path) -> None:
    assert run("convert", drawn, "--to", "nrrd,nifti", "--out", tmp_path / "a.nii.gz") == 2
    assert not (tmp_path / "a.nii.gz").exists()
