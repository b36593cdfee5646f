"""``delineate inspect`` and the options on reading, as a user meets them."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from delineate.cli import main
from delineate.formats import inspect
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def series(folder: Path, *, without: int = -1) -> Path:
    samples = np.random.default_rng(1).integers(-1000, 1000, (8, 30, 30)).astype(np.int16)
    paths = write_series(Image(samples, Grid.regular((8, 30, 30), (2.5, 0.7, 0.7)), "CT"), folder)
    if without >= 0:
        paths[without].unlink()
    return folder


def table(text: str) -> dict[str, str]:
    """The rows of the printed table; a row that goes on below is one."""
    rows: dict[str, str] = {}
    last = ""
    for key, value in re.findall(r"^│([^│]*)│([^│]*)│$", text, re.MULTILINE):
        last = key.strip() or last
        rows[last] = f"{rows.get(last, '')} {value.strip()}".strip()
    return rows


def test_the_table_tells_all_that_is_known_of_a_refused_series(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", series(tmp_path, without=3)) == 3

    text = capsys.readouterr().out
    rows = table(text)
    assert rows["verdict"] == "refused"
    assert rows["shape"] == "7 x 30 x 30"
    assert rows["spacing"] == "2.5 x 0.7 x 0.7 mm"
    assert rows["field of view"] == "20 x 21 x 21 mm"
    assert rows["orientation"] == "SPL"
    assert rows["gantry tilt"] == "0 degrees"
    assert rows["distances"] == "2.5 mm x 5, 5 mm x 1"
    assert rows["rescale"] == "none"
    assert rows["scale"] == "known"
    assert rows["files"].startswith("7: 0001.dcm ... 0008.dcm")
    assert rows["why together"].startswith("7 files that share series UID")
    assert "slice 3 at 5.00 mm and slice 5 at 10.00 mm are 5.00 mm apart" in rows["missing_slice"]
    assert "refused: Send the whole series" in text


def test_files_are_listed_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", series(tmp_path), "--files") == 0

    out = capsys.readouterr().out
    assert [line.strip() for line in out.splitlines() if line.startswith("  ")] == [
        f"{number:04d}.dcm" for number in range(1, 9)
    ]


def test_missing_slices_are_interpolated_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = series(tmp_path, without=3)

    assert run("inspect", folder, "--uneven", "resample") == 0

    assert table(capsys.readouterr().out)["verdict"] == "corrected"
    assert run("inspect", folder, "--uneven", "perhaps") == 2
    told = capsys.readouterr().err
    assert all(word in told for word in ("perhaps", "refuse", "resample"))
    out = tmp_path / "out"
    arguments = ("--detector", "organs.ct", "--uneven", "resample", "--out", out)
    assert run("run", folder, *arguments, "--export", "seg") == 3
    assert "dicom-resampled" in capsys.readouterr().err
    assert run("run", folder, *arguments, "--export", "nifti") == 0
    notes = json.loads((out / "delineation.json").read_text())["notes"]
    assert notes[0].startswith("Slices are interpolated: distances of 2.50 mm (5 times)")


def test_a_photograph_is_in_pixels_unless_its_scale_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "leaf.png"
    Pillow.new("RGB", (40, 30)).save(path, dpi=(300, 300))

    assert run("inspect", path) == 0
    plain = table(capsys.readouterr().out)
    assert run("inspect", path, "--spacing-mm", "0.1,0.2") == 0
    stated = table(capsys.readouterr().out)

    assert (plain["scale"].split()[0], plain["spacing"]) == ("unknown", "1 x 1 px")
    assert plain["field of view"] == "30 x 40 px"
    assert "mm" not in plain["spacing"]
    assert (stated["scale"].split()[0], stated["spacing"]) == ("known", "0.1 x 0.2 mm")
    assert stated["field of view"] == "3 x 8 mm"
    assert stated["orientation"] == "-"
    assert run("inspect", path, "--spacing-mm", "wide") == 2
    assert "ROW,COLUMN" in capsys.readouterr().err


def test_an_empty_zip_is_told_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.zip"
    zipfile.ZipFile(path, "w").close()

    assert run("run", path, "--detector", "organs.ct", "--out", tmp_path / "out") == 3

    assert "no file at all; give a file, or a folder or zip that holds" in capsys.readouterr().err


def test_the_report_for_machines_is_that_of_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = series(tmp_path, without=2)

    run("inspect", folder, "--json")

    assert json.loads(capsys.readouterr().out) == inspect(folder).to_json()
