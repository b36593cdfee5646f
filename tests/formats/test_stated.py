"""A modality that a file does not say can be stated, and is then told."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from delineate.errors import OptionError
from delineate.formats import inspect, read
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image


def nifti(path: Path, low: int, high: int) -> Path:
    samples = np.random.default_rng(0).integers(low, high, (4, 4, 4)).astype(np.int16)
    nibabel.Nifti1Image(samples, np.eye(4)).to_filename(path)
    return path


def test_a_stated_modality_is_noted(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", 0, 9)

    image = read(path, modality="MR")

    assert read(path).modality == "unknown"
    assert image.modality == "MR"
    assert image.notes == ("The file names no modality; it was stated to be MR.",)


def test_a_guess_is_noted_and_a_statement_overrules_it(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", -1000, 900)

    guessed, stated = read(path), read(path, modality="MR")

    assert guessed.modality == "CT"
    assert guessed.notes == (
        "The file names no modality; its values look like Hounsfield units, so it is read as CT.",
    )
    assert [problem.code for problem in inspect(path).series[0].problems] == ["modality_assumed"]
    assert stated.modality == "MR"
    assert stated.notes == ("The file names no modality; it was stated to be MR.",)


def test_a_file_that_says_its_modality_is_not_contradicted(tmp_path: Path) -> None:
    image = Image(np.zeros((2, 3, 4), np.int16), Grid.regular((2, 3, 4)), "CT")
    write_series(image, tmp_path)

    assert read(tmp_path, modality="CT").notes == ()
    with pytest.raises(OptionError, match="says MR, and the file says CT; leave it out"):
        read(tmp_path, modality="MR")


@pytest.mark.parametrize("word", ["", "C T", "x" * 17, "<CT>"])
def test_what_is_no_modality_is_refused(tmp_path: Path, word: str) -> None:
    path = nifti(tmp_path / "a.nii", 0, 9)

    with pytest.raises(OptionError, match="expected a modality such as CT"):
        read(path, modality=word)
