"""The command line, run as a user runs it: arguments in, files, text and exit code out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from delineate import errors, formats
from delineate.cli import exit_code, main
from delineate.contour import fill
from delineate.formats import nifti, rtstruct


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def every_error() -> list[type[errors.DelineateError]]:
    kinds = [getattr(errors, name) for name in errors.__all__]
    return [kind for kind in kinds if kind is not errors.SeriesChoiceError]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_an_exit_code_that_is_not_success(kind: type) -> None:
    assert exit_code(kind("what went wrong")) in (1, 2, 3, 4, 130)


def test_the_organ_detector_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("detectors", "--json") == 0
    described = json.loads(capsys.readouterr().out)
    organs = next(entry for entry in described if entry["id"] == "organs.ct")
    assert "CT" in organs["wants"]["modalities"]
    assert {"liver", "spleen"} <= {category["name"] for category in organs["categories"]}


def test_inspect_tells_a_series_geometry(
    phantom_series: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", phantom_series, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (series,) = report["series"]
    assert report["verdict"] == "usable"
    assert series["modality"] == "CT"
    assert series["orientation"] == "SPL"
    np.testing.assert_allclose(series["spacing_mm"], (8.0, 4.0, 4.0), atol=1e-6)


def test_a_run_leaves_every_export_and_they_agree(phantom_series: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wanted = "nifti,rtstruct,geojson,json,csv,png"
    arguments = ("--detector", "organs.ct", "--out", out, "--export", wanted)
    assert run("run", phantom_series, *arguments) == 0

    assert {path.name for path in out.iterdir()} == {
        "delineation.json",
        "exports.json",
        "labels.nii.gz",
        "rtstruct.dcm",
        "contours.geojson",
        "measurements.csv",
        "sheet.png",
    }
    document = json.loads((out / "delineation.json").read_text())
    volumes = {
        found["category"]["name"]: found["measurements"]["volume_ml"]
        for found in document["findings"]
    }
    assert 700 < volumes["liver"] < 3000
    assert volumes["lung_left"] > 300

    image = formats.read(phantom_series)
    labels = nifti.read_labels(out / "labels.nii.gz")
    assert labels.grid.matches(image.grid)
    drawn = rtstruct.read(out / "rtstruct.dcm")
    for structure in drawn.structures:
        filled = fill(structure.contours, image.grid)
        np.testing.assert_array_equal(filled, labels.array == structure.number)


def test_two_runs_write_the_same_label_map_byte_for_byte(
    phantom_series: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        arguments = ("--detector", "organs.ct", "--out", tmp_path / name, "--export", "nifti")
        assert run("run", phantom_series, *arguments) == 0
    one, two = (tmp_path / name / "labels.nii.gz" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_phantom_writes_a_series_and_spares_a_full_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "mine.txt").write_text("mine")
    assert run("phantom", kept) == 2
    assert "holds something" in capsys.readouterr().err
    assert [path.name for path in kept.iterdir()] == ["mine.txt"]


def bad_inputs(folder: Path, series: Path) -> dict[str, tuple[Path, str]]:
    """Inputs that must be refused with exit code 3, each with a word of the message."""
    (folder / "notes.dcm").write_text("these are notes")
    missing = folder / "missing"
    shutil.copytree(series, missing)
    files = sorted(missing.iterdir())
    files[len(files) // 2].unlink()
    truncated = folder / "truncated"
    shutil.copytree(series, truncated)
    victim = sorted(truncated.iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-2000])
    flat = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), None)
    flat.header["sform_code"] = 1
    for row in ("srow_x", "srow_y", "srow_z"):
        flat.header[row] = 0
    flat.to_filename(folder / "flat.nii.gz")
    series_4d = nibabel.Nifti1Image(np.zeros((4, 4, 4, 3), np.int16), np.eye(4))
    series_4d.to_filename(folder / "four.nii.gz")
    (folder / "empty").mkdir()
    return {
        "text named .dcm": (folder / "notes.dcm", "text file, though its name ends in .dcm"),
        "missing slice": (missing, "slice is missing"),
        "truncated slice": (truncated, "cut short"),
        "zero affine": (folder / "flat.nii.gz", "export the image again from its source"),
        "4-D": (folder / "four.nii.gz", "3 volumes"),
        "empty folder": (folder / "empty", "got no file at all; give a file"),
        "nothing there": (folder / "nowhere", "nowhere"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "text named .dcm",
        "missing slice",
        "truncated slice",
        "zero affine",
        "4-D",
        "empty folder",
        "nothing there",
    ],
)
def test_bad_input_is_refused_with_code_3_and_a_reason(
    kind: str, phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, word = bad_inputs(tmp_path, phantom_series)[kind]
    out = tmp_path / "out"
    assert run("run", path, "--detector", "organs.ct", "--out", out) == 3
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert word in message
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--detector", "organs.cd"),
        ("--detector", "organs.ct", "--option", "colour=red"),
        ("--detector", "organs.ct", "--option", "red"),
        ("--detector", "organs.ct", "--export", "docx"),
        ("--export", "nifti"),
    ],
)
def test_wrong_usage_has_code_2_and_says_what_is_known(
    arguments: tuple[str, ...],
    phantom_series: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("run", phantom_series, "--out", tmp_path / "out", *arguments) == 2
    assert capsys.readouterr().err


def test_two_series_are_listed_and_one_must_be_chosen(
    phantom_series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from delineate.formats import dicom
    from delineate.phantom import torso

    both = tmp_path / "both"
    shutil.copytree(phantom_series, both / "a")
    image, _ = torso(8, spacing_mm=(10.0, 6.0, 6.0), extent_mm=(-100.0, 100.0))
    dicom.write_series(image, both / "b")
    assert run("run", both, "--detector", "organs.ct", "--out", tmp_path / "out") == 2
    message = capsys.readouterr().err
    report = formats.inspect(both)
    assert len(report.series) == 2
    assert all(series.id in message for series in report.series)


def test_two_results_never_mix_in_one_folder(phantom_series: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--detector", "organs.ct", "--out", out)
    assert run("run", phantom_series, *arguments, "--export", "csv,png") == 0
    one = "--option", "structures=liver"
    assert run("run", phantom_series, *arguments, *one, "--export", "nifti") == 0
    left = {path.name for path in out.iterdir()}
    assert left == {"delineation.json", "exports.json", "labels.nii.gz"}
    (only,) = json.loads((out / "delineation.json").read_text())["findings"]
    assert only["category"]["name"] == "liver"


def test_an_export_that_cannot_be_is_refused_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    array = np.random.default_rng(0).integers(-1000, 1000, (8, 8, 8)).astype(np.int16)
    nibabel.Nifti1Image(array, np.eye(4)).to_filename(tmp_path / "ct.nii.gz")
    out = tmp_path / "out"
    arguments = ("--detector", "organs.ct", "--modality", "CT", "--out", out)
    assert run("run", tmp_path / "ct.nii.gz", *arguments, "--export", "nifti,rtstruct") == 3
    assert "expected a DICOM series for rtstruct" in capsys.readouterr().err
    assert not out.exists()


def test_a_verb_imports_no_other() -> None:
    code = (
        "import sys; from delineate.cli import application; application(['table'])\n"
        "print([one for one in sys.modules if one in ('delineate.cli.demo', 'delineate.phantom')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
