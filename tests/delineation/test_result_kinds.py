"""All kinds of results of real pictures, in all formats: written and good, or refused in words."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from finders import GIVES, spec
from PIL import Image as Pillow

from delineate import formats
from delineate.delineation import (
    EXPORTS,
    SIDECAR,
    Delineation,
    delineate,
    export,
    exportable,
    offers,
)
from delineate.errors import ExportError
from delineate.formats import nifti, svg
from delineate.imaging import Grid, Image
from delineate.plugins import Field, Instances, registry
from delineate.plugins.options import parse
from delineate.plugins.reference import resolved

LABELS = {"nifti", "masks", "nrrd", "geojson", "svg", "coco", "csv", "png"}
MARKS = {"geojson", "svg", "coco", "csv", "png", "overall"}
OFFERED = {
    "Echo": LABELS,
    "Everything": LABELS,
    "Layers": LABELS - {"nifti"},
    "Apart": LABELS,
    "Corners": MARKS,
    "Guess": {"csv", "png"},
    "Odd": LABELS | {"field"},
    "Double": {"nifti", "png"},
}
DICOM = {"rtstruct", "seg", "sr"}


@pytest.fixture(scope="module")
def bees(shared_data: Path) -> Image:
    """Grey and small: every second sample of a photograph, brightest where it is 3."""
    path = sorted((shared_data / "counting" / "bees").glob("*.jpg"))[0]
    photograph = formats.read(path)
    grey = photograph.array[:, ::4, ::4].mean(axis=-1) / 85
    return Image(grey.astype(np.float32), Grid.regular(grey.shape, unit="px"), "photo")


@pytest.fixture(scope="module")
def board(shared_data: Path) -> Delineation:
    """What the shipped comparison finds on a printed board."""
    path = sorted((shared_data / "defects" / "deeppcb").rglob("*_test.jpg"))[3]
    template = path.with_name(path.name.replace("_test", "_temp"))
    shipped = registry.find("defects.compare")
    options = resolved(parse(shipped, {"template": str(template)}), formats.read)
    return delineate(formats.read(path), shipped, options)


@pytest.mark.parametrize("name", sorted(GIVES))
def test_every_kind_is_written_in_every_format_or_refused_with_a_reason(
    name: str, bees: Image, tmp_path: Path
) -> None:
    found = delineate(bees, spec(name))

    assert set(exportable(found)) == {"json", "html"} | OFFERED[name]
    assert [one.name for one in offers(found)] == list(exportable(found))
    for format_ in EXPORTS:
        folder = tmp_path / format_
        if format_ in exportable(found):
            (path,) = (
                one for key, one in export(found, [format_], folder).items() if key == format_
            )
            assert path.name in {one.file for one in offers(found)}
            assert path.stat().st_size > 20
            again = export(found, [format_], tmp_path / "again")[format_]
            assert path.read_bytes() == again.read_bytes()
        elif format_ in DICOM:
            with pytest.raises(ExportError, match="expected a DICOM series for"):
                export(found, [format_], folder)
        else:
            with pytest.raises(ExportError, match=rf"as {format_} \(.+\); it can as json, "):
                export(found, [format_], folder)
            assert not folder.exists()


@pytest.mark.parametrize("name", ["Corners", "Guess", "Odd", "Double"])
def test_what_is_offered_of_a_series_is_written(
    name: str, phantom_series: Path, tmp_path: Path
) -> None:
    found = delineate(formats.read(phantom_series), spec(name))
    more = {
        "Corners": {"rtstruct", "sr"},
        "Guess": {"sr"},
        "Odd": DICOM | {"stl", "ply", "glb"},
        "Double": set(),
    }

    written = export(found, exportable(found), tmp_path)

    assert set(written) == {"json", "html"} | OFFERED[name] | more[name]
    if name == "Corners":
        assert isinstance(found.output, Instances)
        none = replace(found, output=replace(found.output, items=()), findings=())
        assert set(export(none, exportable(none), tmp_path / "none")) == {"json", "html"} | MARKS


def test_the_faults_of_a_board_are_files_that_agree(board: Delineation, tmp_path: Path) -> None:
    written = export(board, set(exportable(board)), tmp_path)

    assert set(written) == {"json", "html"} | MARKS
    rows = table(written["csv"])
    (numbers,) = table(written["overall"])
    assert isinstance(board.output, Instances)
    assert len(rows) == len(board.output.items) == int(numbers["count"]) > 2
    marks = {mark.number: mark for mark in svg.read_marks(written["svg"])}
    for row in rows:
        mark = marks[int(row["id"])]
        assert mark.category.name == row["category"]
        assert float(numbers[f"count_{row['category'].replace('-', '_')}"]) > 0
        low, high = mark.box or ((), ())
        assert low == tuple(float(row[f"box_start_{axis}_px"]) for axis in "xyz")
        assert high == tuple(float(row[f"box_stop_{axis}_px"]) for axis in "xyz")
    told = json.loads((tmp_path / SIDECAR).read_text())["files"]
    for name in ("svg", "geojson", "coco"):
        trip = told[written[name].name]["round_trip"]
        assert trip["dice"] == 1.0
        assert len(trip["structures"]) == len(rows)
    with Pillow.open(written["png"]) as picture:
        assert picture.width == 1400 + 32  # 640 samples, shown larger


def test_a_board_without_a_fault_has_files_too(board: Delineation, tmp_path: Path) -> None:
    assert isinstance(board.output, Instances)
    none = replace(board, output=replace(board.output, items=()), findings=(), overall={"count": 0})

    written = export(none, set(exportable(none)), tmp_path)

    assert set(written) == {"json", "html"} | MARKS
    assert table(written["csv"]) == []
    assert table(written["overall"]) == [{"count": "0"}]


def test_the_numbers_of_a_field_come_back(bees: Image, tmp_path: Path) -> None:
    found = delineate(bees, spec("Odd"))

    back = nifti.read(export(found, ["field"], tmp_path)["field"])

    assert isinstance(found.output, Field)
    assert back.array.dtype == np.float32
    np.testing.assert_array_equal(back.array, found.output.array)
    assert back.grid.matches(bees.grid)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), ("red", "green", "blue")])
def test_a_restored_photograph_is_a_photograph(
    dtype: type, channels: tuple[str, ...], bees: Image, tmp_path: Path
) -> None:
    fine = bees.grid.with_spacing((1.0, 0.5, 0.5))
    array = np.clip(bees.array * np.iinfo(dtype).max / 3, 0, np.iinfo(dtype).max).astype(dtype)
    array = array.repeat(2, axis=1).repeat(2, axis=2)
    if channels:
        array = np.stack([array, array // 2, array // 3], axis=-1)
    output = Image(array, fine, "photo", channels)
    found = replace(delineate(bees, spec("Double")), output=output)

    written = export(found, set(exportable(found)), tmp_path)

    expected = {"json", "html", "picture", "png"} | (set() if channels else {"nifti"})
    assert set(written) == expected
    assert {path.name for path in tmp_path.iterdir()} == {
        *(one.file for one in offers(found)),
        SIDECAR,
    }
    back = formats.read(written["picture"])
    exact = array if dtype == np.uint8 or not channels else array >> 8
    np.testing.assert_array_equal(back.array, exact)
    if channels:
        with pytest.raises(ExportError, match=r"nifti \(NIfTI is written without colours"):
            export(found, ["nifti"], tmp_path / "colours")
    else:
        np.testing.assert_array_equal(nifti.read(written["nifti"]).array, array)


def test_files_of_another_result_go(bees: Image, tmp_path: Path) -> None:
    found = delineate(bees, spec("Odd"))
    export(found, ["field", "png"], tmp_path)

    export(replace(found, notes=("another",)), ["csv"], tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {
        "delineation.json",
        "measurements.csv",
        SIDECAR,
    }


def table(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))
