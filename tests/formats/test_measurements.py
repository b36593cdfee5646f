"""Tables of measurements: one row a finding, units in the names, no formulas."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.contour import measure
from delineate.formats.measurements import write_csv, write_overall
from delineate.imaging import Category, Code, Grid, Image, LabelMap

ENDS = ("from", "to")


@dataclass
class Finding:
    id: int
    category: Category
    score: float | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    point: tuple[float, float, float] | None = None
    box: Any = None


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_label_map_becomes_a_row_a_structure(tmp_path: Path) -> None:
    grid = Grid.regular((2, 3, 4), (5.0, 2.0, 1.0))
    labels = np.zeros(grid.shape, np.uint8)
    labels[0, 1, 1:3] = 1
    kidney = Category("kidney", code=Code("64033007", "SCT", "Kidney"), laterality="left")
    labelmap = LabelMap(labels, grid, {1: kidney, 2: Category("nowhere")})
    image = Image(np.full(grid.shape, 7, np.int16), grid, "CT")
    found = measure(labelmap, image)

    write_csv(
        [
            Finding(n, c, measurements=found[n], notes=("a", "b"))
            for n, c in labelmap.categories.items()
        ],
        tmp_path / "a.csv",
    )

    one, other = table(tmp_path / "a.csv")
    assert one["category"] == "kidney"
    assert one["laterality"] == "left"
    assert (one["code_scheme"], one["code_value"]) == ("SCT", "64033007")
    assert float(one["volume_ml"]) == 0.02
    assert float(one["mean_hu"]) == 7
    assert [float(one[f"centroid_{axis}_mm"]) for axis in "xyz"] == [1.5, 2, 0]
    assert [float(one[f"extent_{axis}_mm"]) for axis in ("slice", "row", "column")] == [5, 2, 2]
    assert [one[f"bounding_box_stop_{axis}"] for axis in ("slice", "row", "column")] == [
        "1",
        "2",
        "3",
    ]
    assert (one["first_slice"], one["last_slice"]) == ("0", "0")
    ends = [[float(one[f"longest_diameter_{end}_{axis}_mm"]) for axis in "xyz"] for end in ENDS]
    assert ends == found[1]["longest_diameter_ends_mm"]
    assert other["short_axis_to_z_mm"] == other["diameter_3d_mm"] == ""
    assert one["touches_border"] == "true"
    assert one["notes"] == "a; b"
    assert float(other["volume_ml"]) == 0
    assert other["centroid_x_mm"] == other["mean_hu"] == other["first_slice"] == ""
    assert all(isinstance(value, str) for value in one.values())  # as many cells as columns


def test_columns_are_those_of_any_row(tmp_path: Path) -> None:
    rows = [
        Finding(1, Category("a"), 0.5, {"x_mm": 1.0}),
        Finding(
            2, Category("b"), measurements={"y": float("nan"), "z": [1, 2]}, point=(1.0, 2.0, 3.0)
        ),
        Finding(3, Category("c"), box=((0, 0, 0), (1.0, 2.0, 3.0))),
    ]

    write_csv(rows, tmp_path / "a.csv", "px")

    first, second, third = table(tmp_path / "a.csv")
    assert (first["x_mm"], first["y"], first["score"]) == ("1.0", "", "0.5")
    assert (second["x_mm"], second["y"], second["z"]) == ("", "", "[1, 2]")
    assert [second[f"point_{axis}_px"] for axis in "xyz"] == ["1.0", "2.0", "3.0"]
    assert [third[f"box_stop_{axis}_px"] for axis in "xyz"] == ["1.0", "2.0", "3.0"]
    assert list(first)[-1] == "notes"


def test_an_empty_table_has_its_header(tmp_path: Path) -> None:
    write_csv([], tmp_path / "a.csv")

    assert (tmp_path / "a.csv").read_bytes().startswith(b"id,category,laterality,")
    assert (tmp_path / "a.csv").read_bytes().endswith(b",score,notes\r\n")


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip))
def test_no_text_is_a_formula_and_every_text_comes_back(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"

    write_csv([Finding(1, Category(text), notes=(text,))], path)

    (row,) = table(path)
    for cell in (row["category"], row["notes"]):
        assert cell in (text, f"'{text}")
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [Finding(1, Category("a"), 1 / 3, {"volume_ml": 2 / 3})]
    for name in ("a", "b"):
        write_csv(iter(rows), tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_numbers_about_the_whole_image_are_one_line(tmp_path: Path) -> None:
    write_overall({"count": 37, "count_low": 30.5, "=odd": float("nan")}, tmp_path / "a.csv")

    assert (tmp_path / "a.csv").read_bytes() == b"count,count_low,'=odd\r\n37,30.5,\r\n"
