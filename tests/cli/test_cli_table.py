"""``delineate table``: many results become one table, and none is lost without a word."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from delineate.cli import main
from delineate.contour import measure
from delineate.delineation.collect import case_of, result_folders
from delineate.errors import UnreadableFileError
from delineate.imaging import Grid, LabelMap


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def keep(folder: Path, size: int) -> Path:
    labelmap = LabelMap(np.ones((2, 2, size), np.uint8), Grid.regular((2, 2, size)), {})
    finding = {
        "id": 1,
        "category": {"name": "liver", "colour": "#010203", "laterality": None, "code": None},
        "score": None,
        "measurements": measure(labelmap)[1],
        "notes": ['says "points":[1, 2]'],
        "contours": [{"slice": 0, "hole": False, "points": [[1.5, -2e-05, 3.0], [1, 2, 3]]}],
        "point": None,
    }
    folder.mkdir(parents=True)
    document = {"schema": "delineate/delineation/1", "findings": [finding]}
    (folder / "delineation.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def volumes(path: Path) -> dict[str, float]:
    with path.open(encoding="utf-8", newline="") as file:
        return {
            line["case"]: float(line["value"])
            for line in csv.DictReader(file)
            if line["measurement"] == "volume_ml"
        }


def test_results_become_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in range(1, 5):
        keep(tmp_path / "results" / f"p{size}", size)
    keep(tmp_path / "more", 9)

    assert run("table", tmp_path / "results", tmp_path / "more", "--out", tmp_path / "t.csv") == 0

    expected = {f"p{size}": 0.004 * size for size in range(1, 5)} | {"more": 0.036}
    assert volumes(tmp_path / "t.csv") == pytest.approx(expected)
    assert "5 results" in capsys.readouterr().out


def test_broken_results_are_listed_and_the_others_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = keep(tmp_path / "good", 1)
    bad = {
        "no-json": "{",
        "no-object": "[]",
        "other-schema": '{"schema": "x", "findings": []}',
        "no-findings": '{"schema": "delineate/delineation/1"}',
        "odd-findings": '{"schema": "delineate/delineation/1", "findings": [{"id": "x"}]}',
    }
    for name, content in bad.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "delineation.json").write_text(content)
    (tmp_path / "empty").mkdir()
    names = [*bad, "empty"]

    code = run("table", *(tmp_path / name for name in names), good, "--out", tmp_path / "t.csv")

    said = capsys.readouterr()
    assert code == 3
    assert volumes(tmp_path / "t.csv") == pytest.approx({"good": 0.004})
    for name in names:
        assert name in said.err
    assert "6 of 7" in said.err
    assert str(tmp_path) not in said.err


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    a, b = keep(tmp_path / "a" / "out", 1), keep(tmp_path / "b" / "out", 1)

    assert result_folders([a, b]) == {"a/out": a, "b/out": b}
    assert result_folders([a, a, tmp_path / "a"]) == {"out": a}


def test_what_is_no_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("table", tmp_path / "nothing", "--out", tmp_path / "t.csv") == 2
    assert "nothing" in capsys.readouterr().err
    assert run("table", keep(tmp_path / "a", 1), "--out", tmp_path / "t.doc") == 3
    assert not (tmp_path / "t.doc").exists()


def test_a_folder_without_a_result_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="found none"):
        case_of("a", tmp_path)
