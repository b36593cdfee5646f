"""The long table: every number has its line, in CSV as in Parquet."""

from __future__ import annotations

import csv
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.delineation.collect import ListedFinding
from delineate.errors import ExportError, MissingExtraError
from delineate.formats import measurement_table
from delineate.formats.measurement_table import COLUMNS, Case, write_table
from delineate.imaging import Category

LIVER = ListedFinding(
    3,
    Category("liver"),
    0.5,
    {
        "voxels": 10,
        "volume_ml": 1.25,
        "mean_hu": None,
        "centroid_mm": [1.0, -2.0, 3.5],
        "longest_diameter_ends_mm": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
        "bounding_box": [[0, 1, 2], [3, 4, 5]],
        "slices": [0, 2],
        "touches_border": True,
        "border_faces": ["first slice"],
        "meaning": "probability",
        "p5_hu": -3.0,
        "mean_value": 7.0,
        "area_px": float("nan"),
    },
)


def lines(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        return pyarrow.parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    return [row | {"value": float(row["value"]), "finding": int(row["finding"])} for row in rows]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_result_worked_by_hand(tmp_path: Path, name: str) -> None:
    count = write_table([Case("p1", (LIVER,)), Case("p2", ())], tmp_path / name)

    found = lines(tmp_path / name)

    assert count == len(found) == 23
    assert all(tuple(line) == COLUMNS for line in found)
    assert {(line["case"], line["structure"], line["finding"]) for line in found} == {
        ("p1", "liver", 3)
    }
    by_name = {str(line["measurement"]): (line["value"], line["unit"]) for line in found}
    assert by_name["score"] == (0.5, "")
    assert by_name["voxels"] == (10.0, "")
    assert by_name["volume_ml"] == (1.25, "ml")
    assert by_name["centroid_y_mm"] == (-2.0, "mm")
    assert by_name["longest_diameter_to_z_mm"] == (6.0, "mm")
    assert by_name["bounding_box_stop_row"] == (4.0, "")
    assert by_name["last_slice"] == (2.0, "")
    assert by_name["touches_border"] == (1.0, "")
    assert by_name["p5_hu"] == (-3.0, "HU")
    assert by_name["mean_value"] == (7.0, "")
    assert not by_name.keys() & {"mean_hu", "meaning", "border_faces", "area_px"}


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip),
            st.dictionaries(st.sampled_from(("a_mm", "b", "c_ml")), st.floats()),
        ),
        max_size=4,
    )
)
def test_both_formats_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, given_cases: list[tuple[str, dict[str, float]]]
) -> None:
    folder = tmp_path_factory.mktemp("table")
    cases = [
        Case(name, (ListedFinding(1, Category(name), None, values),))
        for name, values in given_cases
    ]
    for name in ("a.csv", "a.parquet"):
        write_table(iter(cases), folder / name)

    one, other = lines(folder / "a.csv"), lines(folder / "a.parquet")

    assert [line["value"] for line in one] == [line["value"] for line in other]
    for a, b in zip(one, other, strict=True):
        assert a["case"] in (b["case"], f"'{b['case']}")  # no cell is a formula


def test_many_cases_are_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement_table, "_GROUP", 2048)

    def many(count: int) -> Iterator[Case]:
        for n in range(count):
            yield Case(f"case {n}", (LIVER,) * 40)

    peaks = []
    for count in (20, 160):
        tracemalloc.start()
        write_table(many(count), tmp_path / "a.parquet")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]
    assert pyarrow.parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 72


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_the_same_cases_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_table([Case("a", (LIVER,))], tmp_path / folder / name)

    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_table_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[Case]:
        yield Case("a", (LIVER,))
        raise RuntimeError("gone")

    for name in ("a.csv", "a.parquet"):
        (tmp_path / name).write_text("before")
        with pytest.raises(RuntimeError, match="gone"):
            write_table(broken(), tmp_path / name)
        assert (tmp_path / name).read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.parquet"]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"\.parquet"):
        write_table([], tmp_path / "a.xlsx")


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(MissingExtraError, match=r"delineate\[parquet\]"):
        write_table([Case("a", (LIVER,))], tmp_path / "a.parquet")
    write_table([Case("a", (LIVER,))], tmp_path / "a.csv")
