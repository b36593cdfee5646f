"""Results as files, and results kept and taken up again."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from finders import GIVES, spec

from delineate.delineation import (
    EXPORTS,
    SIDECAR,
    Delineation,
    delineate,
    export,
    exportable,
    layers,
    load,
    save,
    structures,
    to_json,
)
from delineate.errors import ExportError, UnreadableFileError
from delineate.formats import nifti, read, rtstruct
from delineate.formats.drawing import Outlines
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import Classes, Field, Instances, Masks
from delineate.plugins.wire import pack

GRID = Grid.regular((3, 8, 9), (2.0, 1.0, 1.0))
ARRAY = np.zeros(GRID.shape, np.int16)
ARRAY[1, 2:5, 3:7] = 1
IMAGE = Image(ARRAY, GRID, "CT")
NOT_DICOM = {"rtstruct", "seg", "sr"}  # these need an image from DICOM


def result(name: str) -> Delineation:
    return delineate(IMAGE, spec(name))


@pytest.fixture(scope="module", params=sorted(GIVES))
def found(request: pytest.FixtureRequest) -> Delineation:
    return result(request.param)


def test_every_format_has_a_file_of_its_own() -> None:
    assert list(EXPORTS) == [entry.name for entry in EXPORTS.values()]
    assert len({entry.file for entry in EXPORTS.values()}) == len(EXPORTS)
    assert {"json", "nifti", "rtstruct", "geojson", "csv", "png"} <= set(EXPORTS)


def test_what_is_exportable_is_written_under_its_name(found: Delineation, tmp_path: Path) -> None:
    wanted = set(exportable(found)) - NOT_DICOM

    written = export(found, wanted, tmp_path / "new" / "folder")

    assert set(written) == wanted
    folder = tmp_path / "new" / "folder"
    for name, path in written.items():
        restored = isinstance(found.output, Image) and name == "nifti"
        assert path == folder / ("image.nii.gz" if restored else EXPORTS[name].file)
        assert path.stat().st_size > 0
    assert sorted(tmp_path.rglob("*.*")) == sorted((*written.values(), folder / SIDECAR))


def test_beside_the_files_stands_what_a_round_trip_through_each_loses(
    found: Delineation, tmp_path: Path
) -> None:
    wanted = set(exportable(found)) - NOT_DICOM
    written = export(found, wanted, tmp_path, Outlines("midpoint"))

    document = json.loads((tmp_path / SIDECAR).read_text())

    assert document["schema"] == "delineate/exports/1"
    assert set(document["files"]) == {path.name for path in written.values()}
    for name, path in written.items():
        entry = document["files"][path.name]
        assert entry["format"] == name
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (entry["round_trip"] is None) == (not lossy(found, name))
        if isinstance(found.output, LabelMap | Masks | Field) and entry["round_trip"]:
            assert entry["round_trip"]["dice"] == 1.0
        if name == "svg" and isinstance(found.output, Instances):
            assert entry["outlines"] is None  # as the detector gave them
            assert entry["round_trip"]["largest_distance_mm"] == 0.0
        elif name == "svg":
            assert entry["outlines"]["style"] == "midpoint"
            assert entry["round_trip"]["outlines_moved_at_most_mm"] == pytest.approx(0.5 / 2**0.5)


def lossy(found: Delineation, name: str) -> bool:
    """Whether a file holds shapes that can be compared with what was found."""
    numbers_and_pictures = ("csv", "png", "overall", "field", "picture", "html")
    if name in numbers_and_pictures or isinstance(found.output, Image | Classes):
        return False
    return name != "json" or not isinstance(found.output, Instances)


def test_a_second_export_of_the_same_result_adds_to_the_sidecar(tmp_path: Path) -> None:
    found = result("Echo")
    for name in ("nifti", "svg"):
        export(found, [name], tmp_path)
    assert set(json.loads((tmp_path / SIDECAR).read_text())["files"]) == {
        "contours.svg.zip",
        "delineation.json",
        "labels.nii.gz",
    }

    export(replace(found, notes=("another",)), [], tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"delineation.json", SIDECAR}
    assert set(json.loads((tmp_path / SIDECAR).read_text())["files"]) == {"delineation.json"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "other", "files": {}}'])
def test_a_sidecar_of_somebody_else_is_not_overwritten(text: str, tmp_path: Path) -> None:
    (tmp_path / SIDECAR).write_text(text)

    with pytest.raises(ExportError, match=r"exports\.json is there already and not of delineate's"):
        export(result("Echo"), ["nifti"], tmp_path)

    assert (tmp_path / SIDECAR).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == [SIDECAR]


def test_the_same_result_gives_the_same_bytes(found: Delineation, tmp_path: Path) -> None:
    wanted = set(exportable(found)) - NOT_DICOM
    one, two = (export(found, wanted, tmp_path / each) for each in "ab")

    for name in wanted:
        assert one[name].read_bytes() == two[name].read_bytes(), name


def test_a_kept_result_comes_back_with_the_same_bytes(found: Delineation, tmp_path: Path) -> None:
    wanted = set(exportable(found)) - NOT_DICOM
    save(found, tmp_path / "kept")

    back = load(tmp_path / "kept", IMAGE)

    assert to_json(back) == to_json(found)
    (packed, array), (expected, samples) = pack(back.output), pack(found.output)
    assert packed == expected
    np.testing.assert_array_equal(array, samples)
    one, two = export(found, wanted, tmp_path / "a"), export(back, wanted, tmp_path / "b")
    for name in wanted:
        assert one[name].read_bytes() == two[name].read_bytes(), name


def test_keeping_twice_gives_the_same_bytes(found: Delineation, tmp_path: Path) -> None:
    for folder in "ab":
        save(found, tmp_path / folder)

    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names >= {"delineation.json", "output.json"}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_from_dicom_it_goes_back_to_dicom(phantom_series: Path, tmp_path: Path) -> None:
    image = read(phantom_series)
    found = delineate(image, spec("Echo"))
    save(found, tmp_path / "kept")
    back = load(tmp_path / "kept", read(phantom_series))

    one, two = (
        export(each, ["rtstruct", "seg"], tmp_path / name)
        for name, each in (("a", found), ("b", back))
    )

    for name, path in one.items():
        assert path.read_bytes() == two[name].read_bytes(), name
    drawn = rtstruct.to_labelmap(rtstruct.read(one["rtstruct"]), image.grid)
    assert isinstance(found.output, LabelMap)
    np.testing.assert_array_equal(drawn.array, found.output.array)


def test_json_is_always_written(tmp_path: Path) -> None:
    found = result("Echo")

    written = export(found, [], tmp_path)

    assert json.loads(written["json"].read_text()) == to_json(found)


def test_labels_go_through_nifti_as_they_are(tmp_path: Path) -> None:
    path = export(result("Echo"), ["nifti"], tmp_path)["nifti"]

    back = nifti.read_labels(path)

    np.testing.assert_array_equal(back.array, ARRAY)
    assert back.grid.matches(GRID)


@pytest.mark.parametrize(
    ("name", "format_", "message"),
    [
        (
            "Guess",
            "nifti",
            r"gives \(classes\) cannot be written as nifti "
            r"\(which holds labels that do not overlap\); it can as json, csv, png",
        ),
        ("Corners", "nifti", "it can as json, geojson, svg, coco, csv, png, overall"),
        (
            "Layers",
            "nifti",
            "its structures overlap.* as nifti .which.*; it can as json, masks, nrrd, geo",
        ),
        ("Double", "csv", r"as csv \(which holds findings\); it can as json, nifti, png"),
        ("Double", "picture", r"picture \(PNG holds one slice, this image has 3\)"),
        ("Echo", "field", r"field \(it gives no score for each sample\)"),
        ("Echo", "overall", r"overall \(it gives no numbers about the whole image\)"),
        ("Echo", "poem", "cannot be written as poem; it can as json, nifti, masks"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    name: str, format_: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=message):
        export(result(name), ["json", format_], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failed_export_leaves_what_was_there(tmp_path: Path) -> None:
    found = result("Echo")
    before = export(found, ["nifti"], tmp_path)["nifti"].read_bytes()

    with pytest.raises(ExportError, match="DICOM"):
        export(replace(found, notes=("new",)), ["nifti", "rtstruct"], tmp_path)

    left = {"delineation.json", "labels.nii.gz", SIDECAR}
    assert {path.name for path in tmp_path.iterdir()} == left
    assert (tmp_path / "labels.nii.gz").read_bytes() == before
    assert "new" not in (tmp_path / "delineation.json").read_text()


def test_masks_that_lie_apart_are_one_layer_numbered_as_their_findings() -> None:
    found = result("Apart")

    (numbered,) = layers(found)

    np.testing.assert_array_equal(numbered.array, np.where(ARRAY > 0, 1, 2))
    assert [(each.number, each.category) for each in structures(found)] == sorted(
        numbered.categories.items()
    )


def test_masks_that_overlap_are_in_layers_and_stay_whole() -> None:
    one, two = layers(result("Layers"))

    np.testing.assert_array_equal(one.array, ARRAY > 0)
    np.testing.assert_array_equal(two.array, np.full(GRID.shape, 2))


def test_what_is_no_segmentation_has_no_layers() -> None:
    for name in ("Guess", "Corners", "Double"):
        assert layers(result(name)) == ()


def test_the_result_of_another_image_is_refused(tmp_path: Path) -> None:
    save(result("Echo"), tmp_path)

    with pytest.raises(UnreadableFileError, match="is of the image sha256:"):
        load(tmp_path, Image(ARRAY + 1, GRID, "CT"))


@pytest.mark.parametrize("missing", ["delineation.json", "output.json", "output.npy.gz"])
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "scrambled"])
def test_a_broken_result_is_told_as_such(missing: str, how: str, tmp_path: Path) -> None:
    save(result("Echo"), tmp_path)
    path = tmp_path / missing
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        middle = len(content) // 2
        scrambled = content[:middle] + bytes(255 - byte for byte in content[middle:])
        path.write_bytes({"empty": b"", "cut": content[:middle], "scrambled": scrambled}[how])

    with pytest.raises(UnreadableFileError, match="expected a kept result in"):
        load(tmp_path, IMAGE)


def test_keeping_again_replaces(tmp_path: Path) -> None:
    save(result("Guess"), tmp_path)
    shutil.copytree(tmp_path, tmp_path / "copy")

    save(result("Echo"), tmp_path)

    assert load(tmp_path, IMAGE).detector.id == "test.echo"
    assert load(tmp_path / "copy", IMAGE).detector.id == "test.guess"
