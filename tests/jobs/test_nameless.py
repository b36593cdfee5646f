"""What people write beside an image tells nobody its patient, where the service keeps no names."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from service import series

from delineate.errors import InputError
from delineate.jobs.deidentify import clean_file
from delineate.jobs.pseudonyms import Pseudonyms
from delineate.jobs.reidentify import demand_nameless
from delineate.jobs.settings import Settings


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """A CT of Jane Oldfield, number 4711-0815, before anything was taken out."""
    paths = series(tmp_path / "ct")
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID = "Oldfield^Jane", "4711-0815"
        dataset.save_as(path)
    return paths


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deidentify: str) -> None:
    settings = Settings(data=tmp_path / "data", deidentify=deidentify)  # type: ignore[arg-type]
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)


def ask(paths: list[Path], *texts: str) -> None:
    uid = str(pydicom.dcmread(paths[0]).SeriesInstanceUID)
    demand_nameless(texts, "local", [str(path) for path in paths], uid)


def test_a_comment_with_the_patients_name_or_id_is_refused_without_repeating_it(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    served(tmp_path, monkeypatch, "ps3.15")
    pseudonyms = Pseudonyms(tmp_path / "data" / "identity" / "local")
    for path in paths:
        clean_file(path, pseudonyms)
    for text in ("Mrs OLDFIELD's liver", "see 4711-0815", "kidney of oldfield"):
        with pytest.raises(InputError, match="no names of patients") as refused:
            ask(paths, "", text)
        assert "oldfield" not in str(refused.value).lower()
    ask(paths, "the left lobe was missing", "liver", "")


def test_where_patients_stay_in_files_nothing_is_refused(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    served(tmp_path, monkeypatch, "off")
    ask(paths, "Mrs Oldfield's liver")
